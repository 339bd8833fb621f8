"""A repair is tried where the verifier that deferred says that it is worth it: on the same tier, told the violations, counted by itself."""

import json
from typing import Any

import pytest

from router import contract as contracts
from router.types import Ruling
from tests.router.verifiers.world import World as Services
from tests.router.verifiers.world import calls, draft
from tests.server.harness import CALL, TOOLS, WRONG, Reply, running

FIXED = {"repair": 1}
GROUNDED = {"kind": "grounded", "arguments": ["note.text"]}
NOTE = [{"type": "function", "function": {"name": "note", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}}]


def note(text: str) -> str:
    return json.dumps({"tool_calls": [{"name": "note", "arguments": {"text": text}}]})


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_mended_is_kept_on_the_same_tier_and_counted(stream: bool) -> None:
    async with running([WRONG, CALL], route=FIXED) as world:
        response = await world.ask(tools=TOOLS, stream=stream)
        first, second = world.small.calls
        assert response.headers["x-smallfirst-tier"] == "small"
        assert await world.metric("repairs_total", route="auto", tier="small", result="kept") == 1
        assert await world.metric("attempts_total", route="auto", tier="small", result="kept") == 1
    assert second.messages[: len(first.messages)] == first.messages
    assert "launch_rocket" in second.messages[-1].text
    assert world.large.calls == []


async def test_of_several_choices_the_one_at_fault_is_shown() -> None:
    async with running([Reply(CALL, choices=(WRONG,)), Reply(CALL, choices=(CALL,))], route=FIXED) as world:
        response = await world.ask(tools=TOOLS, n=2)
        told = [message.text for message in world.small.calls[1].messages]
    assert response.headers["x-smallfirst-tier"] == "small"
    assert (CALL in told, WRONG in told) == (False, True)


async def test_what_stays_broken_climbs_and_its_repair_is_counted_as_deferred() -> None:
    async with running([WRONG, WRONG], [CALL], route=FIXED) as world:
        response = await world.ask(tools=TOOLS)
        assert response.headers["x-smallfirst-tier"] == "large"
        assert await world.metric("repairs_total", route="auto", tier="small", result="deferred") == 1
        assert await world.metric("cost_usd_total", route="auto", tier="small", kind="repair") > 0


@pytest.mark.parametrize(
    ("draft", "body"),
    [
        (Reply(CALL, finish_reason="length"), {"tools": TOOLS}),
        (" ", {}),
        ("doubtful", {}),
    ],
    ids=["cut off", "empty prose", "a rule"],
)
async def test_what_no_further_try_would_mend_climbs_at_once(draft: Any, body: dict[str, Any]) -> None:
    ruled = {"verifiers": [{"kind": "rule", "expression": "answer.text != 'doubtful'"}], "repair": 3}
    async with running([draft], [CALL if body else "fine"], route=ruled) as world:
        response = await world.ask(**body)
    assert (response.headers["x-smallfirst-tier"], len(world.small.calls)) == ("large", 1)


@pytest.mark.parametrize(("repair", "tier", "tries"), [(False, "large", 1), (True, "small", 2)])
async def test_an_invented_value_is_mended_where_the_operator_says_so(repair: bool, tier: str, tries: int) -> None:
    route = {"verifiers": [{**GROUNDED, "repair": repair}], "repair": 1}
    async with running([note("oats"), note("milk")], [note("milk")], route=route) as world:
        response = await world.ask("note milk", tools=NOTE, tool_choice="required")
    assert (response.headers["x-smallfirst-tier"], len(world.small.calls)) == (tier, tries)
    assert repair is any("stands nowhere" in message.text for call in world.small.calls for message in call.messages)


@pytest.mark.parametrize(
    ("kind", "options", "made"),
    [
        ("contract", {}, draft("{}")),
        ("function", {}, draft(calls(guests="two"))),
        ("grounded", {"repair": True}, draft(calls(name="Ann"), "book a table for Bob")),
    ],
)
async def test_verifiers_that_name_violations_say_that_they_can_be_mended(kind: str, options: dict[str, Any], made: Any) -> None:
    verdict = await Services().verifier(kind, **options).judge(made)
    assert (verdict.ruling, verdict.repairable, bool(verdict.violations)) == (Ruling.DEFER, True, True)


async def test_a_cut_or_empty_answer_is_no_case_for_a_repair() -> None:
    cut = draft(calls(name="Bob"), finish_reason="length")
    for made in (cut, draft(" ", contract=contracts.text())):
        assert not (await Services().verifier("contract").judge(made)).repairable
