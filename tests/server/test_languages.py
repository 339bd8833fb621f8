"""A tier that knows only some languages is passed over for requests that are certainly in another one, and for no others."""

from typing import Any

import pytest

from router.errors import ConfigError
from server.languages import identifier
from tests.server.harness import running

PRICE = {"prompt": 1, "completion": 1}
GERMAN = "Wie wird das Wetter morgen in der Stadt, und brauche ich einen Regenschirm?"
ENGLISH = "What will the weather be in the city tomorrow, and do I need an umbrella?"

SAID = [
    (ENGLISH, "small"),
    (GERMAN, "large"),
    ("今日は天気がいいですね", "large"),
    ("call Ann", "small"),
    ("12:30", "small"),
    ("", "small"),
]


def tiers(**small: Any) -> dict[str, Any]:
    large = {"name": "large", "engine": "llm", "price": PRICE}
    return {"tiers": [{"name": "small", "engine": "slm", "price": PRICE, "languages": ["en"], **small}, large]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("text", "tier"), SAID)
async def test_what_is_certainly_in_another_language_passes_the_tier_over(text: str, tier: str, stream: bool) -> None:
    async with running(route=tiers()) as world:
        response = await world.ask(text, stream=stream)
    assert response.headers["x-smallfirst-tier"] == tier
    assert response.headers["x-smallfirst-deferrals"] == ("gate" if tier == "large" else "")


async def test_the_last_words_of_the_user_count() -> None:
    async with running(route=tiers()) as world:
        turns = [{"role": "user", "content": GERMAN}, {"role": "assistant", "content": "Ja."}, {"role": "user", "content": ENGLISH}]
        response = await world.post({"model": "auto", "messages": turns})
    assert response.headers["x-smallfirst-tier"] == "small"


async def test_a_pinned_tier_and_the_last_one_are_never_passed_over() -> None:
    route = tiers()
    route["tiers"][1]["languages"] = ["en"]
    async with running(route=route) as world:
        assert (await world.ask(GERMAN)).headers["x-smallfirst-tier"] == "large"
        assert (await world.ask(GERMAN, model="auto/small")).headers["x-smallfirst-tier"] == "small"


@pytest.mark.parametrize("languages", [["english"], ["xx"], []])
async def test_a_language_that_nobody_can_tell_is_refused_at_start(languages: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"routes\.auto\.tiers\.0\.languages"):
        async with running(route=tiers(languages=languages)):
            pass


def test_what_is_not_certain_is_no_language() -> None:
    told = identifier([("key", "en")])
    assert (told(ENGLISH), told(GERMAN), told("Ann"), told("\ud800")) == ("en", "de", None, None)
