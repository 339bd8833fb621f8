"""A tier that is prompted schema-first reads the form before anything else; no other tier does, and a repair begins with the same words."""

from typing import Any

import pytest

from router.errors import ConfigError
from tests.server.harness import CALL, TOOLS, WRONG, running, settings

PRICE = {"prompt": 1, "completion": 1}
LARGE = {"name": "large", "engine": "llm", "price": PRICE}


def tiers(**first: Any) -> dict[str, Any]:
    return {"tiers": [{"name": "small", "engine": "slm", "price": PRICE, "schema_first": first or True}, LARGE], "repair": 1}


async def test_the_small_tier_reads_the_form_first_and_the_large_one_never_does() -> None:
    async with running([WRONG, WRONG], [CALL], route=tiers()) as world:
        await world.ask(tools=TOOLS)
    first, repair = world.small.calls
    assert "set_timer(minutes: integer 1..): Start a countdown." in first.guide
    assert (repair.guide, repair.messages[: len(first.messages)]) == (first.guide, first.messages)
    assert [call.guide for call in world.large.calls] == [""]


async def test_a_response_format_is_sketched_too_and_prose_is_left_alone() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {"city": {"type": "string"}}}}}
    async with running(['{"city":"Porto"}', "hello"], route=tiers()) as world:
        await world.ask(response_format=form)
        await world.ask()
    assert [call.guide.splitlines()[-1:] for call in world.small.calls] == [["{city?: string}"], []]


async def test_earlier_answers_become_examples_where_texts_may_be_kept(tmp_path: Any) -> None:
    kept = {"outcomes": {"url": f"sqlite:///{tmp_path}/o.db", "content": True}}
    async with running([CALL], route=tiers(examples=0, proven=1), **kept) as world:
        await world.ask("five minutes please", tools=TOOLS, tool_choice="required")
        await world.ask("and now eight minutes", tools=TOOLS, tool_choice="required")
    assert [call.guide.count(" => ") for call in world.small.calls] == [0, 1]
    assert f"five minutes please => {CALL}" in world.small.calls[1].guide


@pytest.mark.parametrize("closed", ["residency", "guard", None])
async def test_an_earlier_answer_is_no_example_for_a_tier_that_it_was_closed_to(closed: str | None, tmp_path: Any) -> None:
    """The large tier is outside, and reads examples too: of requests that it might have been asked."""
    outside = {**LARGE, "location": "outside", "schema_first": {"examples": 0, "proven": 3}}
    guarded = {"guards": [{"kind": "prompt", "patterns": ["zq9secret"], "allow": ["small"]}]} if closed == "guard" else {}
    kept = {"outcomes": {"url": f"sqlite:///{tmp_path}/o.db", "content": True}}
    first = {"metadata": {"residency": "inside"}} if closed == "residency" else {}
    route = {"tiers": [tiers(examples=0, proven=3)["tiers"][0], outside], **guarded}
    async with running([CALL, WRONG, CALL], [CALL], route=route, **kept) as world:
        await world.ask("five minutes for zq9secret", tools=TOOLS, tool_choice="required", **first)
        await world.ask("and now eight minutes", tools=TOOLS, tool_choice="required")
    shown = [sum("zq9secret" in call.guide for call in engine.calls) for engine in (world.small, world.large)]
    assert shown == [1, int(closed is None)]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"route": tiers(proven=1)}, "routes.auto.tiers.0.schema_first.proven"),
        (
            {
                "route": tiers(),
                "engines": {
                    "slm": {"kind": "openai", "base_url": "http://a/v1", "model": "m", "tools": "native"},
                    "llm": {"kind": "scripted", "replies": ["-"]},
                },
            },
            "routes.auto.tiers.0.schema_first",
        ),
        ({"route": tiers(example=1)}, "routes.auto.tiers.0.schema_first"),
    ],
)
def test_what_could_not_be_kept_is_refused_at_start(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**changes)
    assert str(caught.value.param).startswith(key)
