"""`/v1/responses`: the events' order and numbers, items in and out, and what is refused by its name."""

import json
from typing import Any, get_args

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from router.errors import EngineFailure
from server.api.responding import LOGPROBS, Included
from tests.server.harness import CALL, TOOLS, WRONG, Reply, World, error, running

FUNCTIONS = [{"type": "function", **TOOLS[0]["function"]}]  # type: ignore[dict-item]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


async def post(world: World, **body: Any) -> Any:
    return await world.client.post("/v1/responses", json={"model": "auto", "input": "hi", **body})


def told(text: str) -> list[dict[str, Any]]:
    found = []
    for block in filter(None, text.split("\n\n")):
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert found[-1]["type"] == name.removeprefix("event: ")
        EVENT.validate_python(found[-1])
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


async def test_text_is_a_message_item() -> None:
    async with running(["small says"]) as world:
        body = (await post(world, instructions="be short", metadata={"a": "b"})).json()
    found = Response.model_validate(body)
    assert (found.output_text, found.status, found.model) == ("small says", "completed", "auto/small")
    assert (found.instructions, found.metadata) == ("be short", {"a": "b"})
    assert [message.role for message in world.small.calls[0].messages] == ["system", "user"]
    assert found.usage is not None
    assert found.usage.total_tokens == found.usage.input_tokens + found.usage.output_tokens


async def test_calls_are_items_and_nothing_of_the_rejected_draft_is_seen() -> None:
    async with running([WRONG], [CALL]) as world:
        response = await post(world, tools=FUNCTIONS)
    item = Response.model_validate(response.json()).output[0]
    assert (item.type, item.name, json.loads(item.arguments)) == ("function_call", "set_timer", {"minutes": 5})  # type: ignore[union-attr,arg-type]
    assert "launch_rocket" not in response.text


async def test_the_events_of_text_come_in_openais_order() -> None:
    async with running(["small says"]) as world:
        found = told((await post(world, stream=True)).text)
    assert [event["type"].removeprefix("response.") for event in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert found[-1]["response"]["output"][0]["content"][0]["text"] == "small says"
    assert found[-1]["response"]["smallfirst"]["tier"] == "small"


async def test_the_events_of_a_call_come_in_openais_order() -> None:
    async with running([WRONG], [CALL]) as world:
        response = await post(world, stream=True, tools=FUNCTIONS)
    found = told(response.text)
    kinds = [event["type"].removeprefix("response.") for event in found]
    assert kinds[2] == "output_item.added"
    assert kinds[-3:] == ["function_call_arguments.done", "output_item.done", "completed"]
    pieces = "".join(event["delta"] for event in found if event["type"].endswith("arguments.delta"))
    assert json.loads(pieces) == {"minutes": 5}
    assert "launch_rocket" not in response.text


async def test_live_text_and_a_cut_answer_are_told_as_such() -> None:
    async with running(large=[Reply(chunks=("a ", "b"), finish_reason="length")]) as world:
        found = told((await post(world, stream=True, model="auto/large", max_output_tokens=2)).text)
    assert [event["delta"] for event in found if event["type"].endswith("text.delta")] == ["a ", "b"]
    assert found[-1]["type"] == "response.incomplete"
    assert found[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


async def test_a_failure_after_the_commit_is_a_failed_response() -> None:
    async with running(large=[Reply(chunks=("a ",), failure=EngineFailure("cable cut"))]) as world:
        found = told((await post(world, stream=True, model="auto/large")).text)
    assert found[-1]["type"] == "response.failed"
    assert found[-1]["response"]["error"]["message"] == "cable cut"


async def test_a_failure_before_the_commit_is_an_http_error() -> None:
    async with running([WRONG], [WRONG]) as world:
        assert error(await post(world, stream=True, tools=FUNCTIONS)) == (503, "api_error", "cascade_exhausted", None)


async def test_a_schema_is_a_contract() -> None:
    form = {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}
    async with running(['{"a":"x"}'], ['{"a":1}']) as world:
        body = (await post(world, text=form)).json()
    assert body["output"][0]["content"][0]["text"] == '{"a":1}'
    assert Response.model_validate(body).text is not None


async def test_a_tool_loop_brings_its_items_back() -> None:
    async with running([CALL, '{"message":"done"}']) as world:
        first = (await post(world, tools=FUNCTIONS)).json()
        result = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "ok"}
        again = await post(world, tools=FUNCTIONS, input=[{"role": "user", "content": "hi"}, *first["output"], result])
    assert again.status_code == 200
    assert [message.role for message in (world.small.calls + world.large.calls)[-1].messages] == ["user", "assistant", "tool"]


def shown(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [part]}]


@pytest.mark.parametrize("wanted", get_args(Included))
async def test_what_no_answer_has_may_be_asked_for(wanted: str) -> None:
    async with running(["small says"]) as world:
        body = (await post(world, include=[wanted], store=False)).json()
        assert world.small.calls[0].sampling.logprobs is (wanted == LOGPROBS)
    assert Response.model_validate(body).output_text == "small says"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"background": True}, "unsupported_parameter", "background"),
        ({"truncation": "auto"}, "unsupported_parameter", "truncation"),
        ({"input": shown({"type": "input_image", "file_id": "f"})}, "unsupported_parameter", "input[0].content[0].file_id"),
        ({"input": shown({"type": "input_file", "file_url": "http://a/b"})}, "unsupported_parameter", "input[0].content[0].file_url"),
        ({"reasoning": {"summary": "detailed"}}, "unsupported_parameter", "reasoning.summary"),
        ({"conversation": "c"}, "unsupported_parameter", "conversation"),
        ({"include": ["reasoning.diary"]}, "unsupported_parameter", "include[0]"),
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools[0].type"),
        ({"n": 2}, "unsupported_parameter", "n"),
        ({"nonsense": 1}, "unsupported_parameter", "nonsense"),
        ({"input": []}, "invalid_request", "input"),
        ({"input": [{"type": "function_call_output", "call_id": "x", "output": "y"}]}, "invalid_request", "input[0].call_id"),
        ({"tools": [{"type": "function", "name": "no spaces"}]}, "invalid_request", "tools[0].name"),
    ],
)
async def test_what_is_not_served_is_named(body: dict[str, Any], code: str, param: str) -> None:
    async with running() as world:
        found = error(await post(world, **body))
    assert (found[0], found[2], found[3]) == (400, code, param)


IMAGE = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}]}]
FORMAT = {"format": {"type": "json_schema", "name": "a", "schema": {"const": "a long constant"}}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"input": IMAGE}, "input"),
        ({"input": [{"type": "sculpture"}]}, "input[0].type"),
        ({"text": FORMAT, "max_output_tokens": 1}, "max_output_tokens"),
        ({"tools": FUNCTIONS, "include": ["message.output_text.logprobs"]}, "include"),
    ],
)
async def test_what_only_the_cascade_can_refuse_is_named_in_this_endpoints_words_too(asked: Any, param: str, stream: bool) -> None:
    async with running([Reply('"a', finish_reason="length")], [Reply('"a', finish_reason="length")]) as world:
        found = error(await post(world, **asked, stream=stream))
    assert (found[0], found[3]) == (400, param)
