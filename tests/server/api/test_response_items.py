"""The items of a response: thoughts, text, words beside calls, each at its own place of the output, whole and streamed alike."""

from typing import Any

import pytest
from openai.types.responses import Response

from tests.server.api.test_responses import FUNCTIONS, post, told
from tests.server.harness import CALL, Reply, World, running

THOUGHT = Reply("so four", chunks=("so ", "four"), reasoning="two and two")
WORDS = (
    '{"tool_calls":[{"name":"set_timer","arguments":{"minutes":5}},{"name":"set_timer","arguments":{"minutes":6}}],"content":"I set two."}'
)


def shown(item: dict[str, Any]) -> tuple[str, ...]:
    """An item without its ids."""
    if item["type"] == "function_call":
        return (item["type"], item["status"], item["arguments"])
    return (item["type"], item["status"], *(part.get("text", part.get("refusal")) for part in item["content"]))


def put_together(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a client makes of the events of items alone; each delta must be of an item that is open at its place."""
    output: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "response.output_item.added":
            assert event["output_index"] == len(output)
            output.append(event["item"])
        elif "item_id" in event:
            assert output[event["output_index"]]["id"] == event["item_id"]
        elif event["type"] == "response.output_item.done":
            assert output[event["output_index"]]["id"] == event["item"]["id"]
            output[event["output_index"]] = event["item"]
    return output


CASES: list[tuple[Any, dict[str, Any]]] = [
    (THOUGHT, {"model": "auto/large"}),
    (THOUGHT, {}),
    (Reply(CALL, reasoning="a timer"), {"tools": FUNCTIONS}),
    (WORDS, {"tools": FUNCTIONS}),
    (Reply("", reasoning="nothing to say"), {"model": "auto/large"}),
    (Reply("cut", reasoning="long", finish_reason="length"), {"model": "auto/large", "max_output_tokens": 1}),
    ("", {"model": "auto/large"}),
]


async def both(world: World, asked: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return (await post(world, **asked)).json(), told((await post(world, stream=True, **asked)).text)


@pytest.mark.parametrize(("reply", "asked"), CASES)
async def test_the_events_of_items_make_the_response_that_is_told_whole(reply: Any, asked: dict[str, Any]) -> None:
    async with running([reply, reply], [reply, reply]) as world:
        whole, events = await both(world, asked)
    Response.model_validate(whole)
    assert [shown(item) for item in events[-1]["response"]["output"]] == [shown(item) for item in whole["output"]]
    assert put_together(events) == events[-1]["response"]["output"]
    deltas = "".join(event["delta"] for event in events if event["type"].endswith(("_text.delta", "arguments.delta")))
    assert deltas == "".join("".join(shown(item)[2:]) for item in whole["output"])


async def test_a_thought_comes_first_and_is_no_part_of_the_text() -> None:
    async with running([THOUGHT]) as world:
        whole = (await post(world)).json()
    assert [shown(item) for item in whole["output"]] == [("reasoning", "completed", "two and two"), ("message", "completed", "so four")]
    assert Response.model_validate(whole).output_text == "so four"


async def test_words_beside_calls_are_a_message_of_their_own() -> None:
    async with running([WORDS]) as world:
        events = told((await post(world, stream=True, tools=FUNCTIONS)).text)
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["message", "function_call", "function_call"]


async def test_what_was_thought_comes_back_and_no_model_is_shown_it() -> None:
    async with running([Reply(CALL, reasoning="a timer"), '{"message":"done"}', '{"message":"ok"}']) as world:
        first = (await post(world, tools=FUNCTIONS)).json()
        result = {"type": "function_call_output", "call_id": first["output"][1]["call_id"], "output": "ok"}
        again = await post(world, tools=FUNCTIONS, input=[{"role": "user", "content": "hi"}, *first["output"], result])
        assert again.status_code == 200, again.text
        later = await post(world, tools=FUNCTIONS, input=[result], previous_response_id=first["id"])
        assert later.status_code == 200, later.text
        calls = world.small.calls + world.large.calls
    assert all([message.role for message in call.messages] == ["user", "assistant", "tool"] for call in calls[1:])
    assert not any("a timer" in message.text for call in calls for message in call.messages)
