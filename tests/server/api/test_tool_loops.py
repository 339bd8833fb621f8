"""A client sends the result of a call back: the tier that made it goes on, for the id says which that was."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.server.harness import CALL, TOOLS, WRONG, Reply, World, chunks, running

EXPLAIN = {"x-smallfirst-explain": "1"}


def conversation(call_id: str) -> list[dict[str, Any]]:
    called = {"id": call_id, "type": "function", "function": {"name": "set_timer", "arguments": '{"minutes":5}'}}
    return [
        {"role": "user", "content": "five minutes"},
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": call_id, "content": "started"},
    ]


async def first(world: World, *, stream: bool) -> str:
    """The id of the call in the first answer."""
    response = await world.ask("five minutes", tools=TOOLS, stream=stream)
    if not stream:
        return str(response.json()["choices"][0]["message"]["tool_calls"][0]["id"])
    deltas = [choice["delta"] for chunk in chunks(response) for choice in chunk["choices"]]
    return next(str(call["id"]) for delta in deltas for call in delta.get("tool_calls", ()) if "id" in call)


async def second(world: World, call_id: str, **more: Any) -> dict[str, Any]:
    response = await world.client.post(
        "/v1/chat/completions", json={"model": "auto", "messages": conversation(call_id), "tools": TOOLS, **more}, headers=EXPLAIN
    )
    told: dict[str, Any] = (chunks(response)[-1] if more.get("stream") else response.json())["smallfirst"]
    return told


@pytest.mark.parametrize("stream", [False, True])
async def test_the_large_tier_that_made_the_call_goes_on(stream: bool) -> None:
    async with running([WRONG], [CALL, '{"message":"done"}']) as world:
        told = await second(world, await first(world, stream=stream), stream=stream)
    assert told["tier"] == "large"
    assert told["decision"] == {"permitted": ["large"], "skipped": [], "why": "start on large; large made the tool calls"}
    assert len(world.small.calls) == 1


async def test_the_small_tier_goes_on_unless_deferred() -> None:
    async with running([CALL, WRONG], ['{"message":"done"}']) as world:
        told = await second(world, await first(world, stream=False))
    assert [attempt["tier"] for attempt in told["attempts"]] == ["small", "large"]
    assert told["decision"]["why"] == "start on small; small made the tool calls"


@pytest.mark.parametrize("foreign", ["call_1", "toolu_01", "call_00000000_0000000000000000000000"])
async def test_a_foreign_id_starts_on_the_first_tier(foreign: str) -> None:
    async with running(['{"message":"done"}']) as world:
        told = await second(world, foreign)
    assert (told["tier"], told["decision"]["why"]) == ("small", "start on small")


async def test_the_calls_of_a_response_lead_back_too() -> None:
    async with running([WRONG], [CALL, '{"message":"done"}']) as world:
        tools = [{"type": "function", **TOOLS[0]["function"]}]  # type: ignore[dict-item]  # a tool's function is an object
        asked = {"model": "auto", "input": "five minutes", "tools": tools}
        made = (await world.client.post("/v1/responses", json=asked)).json()["output"][0]
        result = {"type": "function_call_output", "call_id": made["call_id"], "output": "started"}
        call = {key: made[key] for key in ("type", "call_id", "name", "arguments")}
        again = await world.client.post("/v1/responses", json=asked | {"input": [{"role": "user", "content": "hi"}, call, result]})
    assert again.headers["x-smallfirst-tier"] == "large"
    assert len(world.small.calls) == 1


async def test_a_shadowed_route_tries_the_small_tier_in_loops_too(tmp_path: Any) -> None:
    stored = {"outcomes": {"url": f"sqlite:///{tmp_path / 'o.db'}"}}
    async with running([Reply(CALL)], [CALL], route={"mode": "shadow"}, **stored) as world:
        told = await second(world, await first(world, stream=False))
    assert [attempt["tier"] for attempt in told["attempts"]] == ["small", "large"]


@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": "I set it."}]], ids=str)
async def test_a_call_may_stand_beside_any_form_of_content(content: object) -> None:
    """What clients make of the null that they were given differs: Instructor sends an empty list."""
    said = conversation("call_1")
    said[1]["content"] = content
    async with running(['{"message":"done"}']) as world:
        response = await world.post({"model": "auto", "messages": said, "tools": TOOLS})
    assert response.status_code == 200, response.text
    assert world.small.calls[0].messages[1].tool_calls[0].name == "set_timer"


FLAT: list[Any] = [{"type": "function", **TOOLS[0]["function"]}]  # type: ignore[dict-item]  # a tool's function is an object
DONE = '{"message":"done"}'


async def respond(world: World, given: object, *, stream: bool = False, **body: Any) -> tuple[str, dict[str, Any]]:
    """The tier that answered, and the response."""
    asked = {"model": "auto", "input": given, "tools": FLAT, "stream": stream, **body}
    told = await world.client.post("/v1/responses", json=asked)
    assert told.status_code == 200, told.text
    if not stream:
        return told.headers["x-smallfirst-tier"], told.json()
    events = [json.loads(line.removeprefix("data: ")) for line in told.text.splitlines() if line.startswith("data: ")]
    return told.headers["x-smallfirst-tier"], events[-1]["response"]


def result(response: dict[str, Any]) -> list[dict[str, Any]]:
    call = response["output"][0]
    assert call["type"] == "function_call"
    return [{"type": "function_call_output", "call_id": call["call_id"], "output": "started"}]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stored_loop_stays_with_the_large_tier_that_made_the_call(stream: bool) -> None:
    async with running([WRONG], [CALL, CALL, DONE]) as world:
        tier, made = await respond(world, "five minutes", stream=stream)
        for expected in ("function_call", "message"):
            tier, made = await respond(world, result(made), stream=stream, previous_response_id=made["id"])
            assert (tier, made["output"][0]["type"]) == ("large", expected)
    assert len(world.small.calls) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stored_loop_climbs_where_the_small_tier_is_deferred_and_stays_there(stream: bool) -> None:
    async with running([CALL, WRONG], [CALL, DONE]) as world:
        _, made = await respond(world, "five minutes", stream=stream)
        tier, made = await respond(world, result(made), stream=stream, previous_response_id=made["id"])
        assert (tier, "launch_rocket" in str(made)) == ("large", False)
        tier, made = await respond(world, result(made), stream=stream, previous_response_id=made["id"])
    assert (tier, len(world.small.calls)) == ("large", 2)


@pytest.mark.parametrize("first", [False, True], ids=["plain", "schema first"])
@pytest.mark.parametrize("stream", [False, True])
async def test_every_turn_and_every_repair_of_a_stored_loop_only_appends_to_the_prompt(stream: bool, first: bool) -> None:
    price = {"prompt": 1, "completion": 1}
    tiers = [{"name": "small", "engine": "slm", "price": price, "schema_first": first}, {"name": "large", "engine": "llm", "price": price}]
    async with running([CALL, WRONG, CALL, WRONG, DONE], [CALL], route={"tiers": tiers, "repair": 1}) as world:
        _, made = await respond(world, "five minutes", stream=stream)
        turns = [list(world.small.calls)]
        for _ in range(2):
            begun = len(world.small.calls)
            tier, made = await respond(world, result(made), stream=stream, previous_response_id=made["id"])
            assert tier == "small"
            turns.append(world.small.calls[begun:])
    for attempted, repaired in turns[1:]:
        assert repaired.messages[: len(attempted.messages)] == attempted.messages
        assert [message.role for message in repaired.messages[len(attempted.messages) :]] == ["assistant", "user"]
    tried = [turn[0] for turn in turns]
    assert all(after.messages[: len(before.messages)] == before.messages for before, after in pairwise(tried))
    assert [len(call.messages) for call in tried] == [1, 3, 5]
    assert len({call.guide for turn in turns for call in turn}) == 1
    assert world.large.calls == []
