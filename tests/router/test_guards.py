"""Before any generation: which tiers a request may reach."""

from typing import Any

import pytest

from router.errors import ConfigError, EngineTimeout
from router.guards import Closing
from router.registry import guards
from router.types import GenerationRequest, Tab
from server.engines.scripted import Reply
from tests.router.verifiers.world import PRICE, World, posting, say, world

TIERS = ("small", "large")
CLASSIFIER = {"engine": "judge", "policy": "No weapons.", "price": PRICE}


async def closing(services: World, *texts: str, inside_only: bool = False, tab: Tab | None = None, **options: Any) -> Closing:
    guard = guards.build({"kind": "prompt", **options}, "routes.auto.guards.0", services=services)
    messages = (say("system words", "system"), *map(say, texts))
    found: Closing = await guard.inspect(GenerationRequest("r1", "auto", messages, inside_only=inside_only), TIERS, tab or Tab())
    return found


async def test_a_flagged_prompt_reaches_no_tier() -> None:
    found = await closing(World(), "my SECRET plan", patterns=["(?i)secret"])
    assert (found.closed, found.reason) == (frozenset(TIERS), "pattern")


async def test_a_flagged_prompt_reaches_only_the_tiers_that_are_allowed() -> None:
    assert (await closing(World(), "my secret", patterns=["secret"], allow=["large"])).closed == {"small"}


async def test_a_clear_prompt_reaches_all_of_them() -> None:
    assert await closing(World(), "hello", patterns=["secret"]) == Closing()


@pytest.mark.parametrize(("look_at", "shut"), [("user", True), ("last", False), ("all", True)])
async def test_whose_words_count_is_an_option(look_at: str, shut: bool) -> None:
    assert bool((await closing(World(), "secret", "hello", patterns=["secret"], look_at=look_at)).closed) is shut
    assert bool((await closing(World(), "hello", patterns=["system words"], look_at=look_at)).closed) is (look_at == "all")


@pytest.mark.parametrize(
    ("said", "when_unable", "shut"),
    [
        ("flagged", "close", True),
        ("flagged", "open", True),
        ("clear", "close", False),
        (Reply(failure=EngineTimeout("slow")), "close", True),
        (Reply(failure=EngineTimeout("slow")), "open", False),
    ],
)
async def test_a_guard_that_cannot_say_closes_unless_told_otherwise(said: Reply | str, when_unable: str, shut: bool) -> None:
    tab = Tab()
    found = await closing(world([said]), "hello", tab=tab, classifier=CLASSIFIER, when_unable=when_unable)
    assert bool(found.closed) is shut
    assert tab.cost > 0


async def test_what_must_stay_inside_is_shown_to_no_guard_outside() -> None:
    services = posting((200, {"flagged": False}))
    found = await closing(services, "hello", inside_only=True, webhook={"url": "http://guard/"})
    assert (found.closed, found.reason, services.post.seen) == (frozenset(TIERS), "residency", [])


async def test_a_guard_without_anything_to_look_for_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"routes\.auto\.guards\.0"):
        await closing(World(), "hello")
