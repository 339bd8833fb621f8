"""A model that says, in place of the form that was demanded, that it will not: told as OpenAI tells it, and only where no tier is left."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response, ResponseRefusalDeltaEvent

from server.engines.scripted import Reply
from tests.server.harness import CALL, TOOLS, chunks, running

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}
REFUSED = Reply("I will not do that.", finish_reason="refusal")
ASKED: list[dict[str, Any]] = [{"response_format": FORM}, {"response_format": {"type": "json_object"}}, {"tools": TOOLS}]


def refusal(told: list[Any]) -> str:
    return "".join(choice["delta"].get("refusal") or "" for chunk in told for choice in chunk["choices"])


@pytest.mark.parametrize("asked", ASKED)
async def test_where_every_tier_refuses_the_refusal_is_the_answer_and_no_content(asked: dict[str, Any]) -> None:
    async with running([REFUSED], [REFUSED]) as world:
        whole = await world.ask(**asked)
        stream = await world.ask(**asked, stream=True)
    found = ChatCompletion.model_validate(whole.json(), strict=False).choices[0]
    assert (whole.status_code, found.finish_reason, found.message.content) == (200, "stop", None)
    assert (found.message.refusal, found.message.tool_calls) == (REFUSED.text, None)
    told = chunks(stream)
    assert refusal(told) == REFUSED.text
    assert not any(choice["delta"].get("content") or choice["delta"].get("tool_calls") for chunk in told for choice in chunk["choices"])
    assert told[-1]["choices"][0]["finish_reason"] == "stop"
    assert whole.headers["x-smallfirst-deferrals"] == stream.headers["x-smallfirst-deferrals"] == "contract"


@pytest.mark.parametrize(("asked", "answer"), [(ASKED[0], '{"a":1}'), (ASKED[2], CALL)])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_smaller_tiers_refusal_defers_without_a_repair_and_is_never_seen(asked: dict[str, Any], answer: str, stream: bool) -> None:
    async with running([REFUSED], [answer], route={"repair": 1}) as world:
        response = await world.ask(**asked, stream=stream)
        assert len(world.small.calls) == 1
    assert (response.headers["x-smallfirst-tier"], response.headers["x-smallfirst-deferrals"]) == ("large", "contract")
    assert "will not" not in response.text


async def test_a_response_tells_a_refusal_as_its_own_kind_of_part_and_can_be_gone_on_from() -> None:
    body = {"model": "auto", "input": "hi", "text": {"format": {"type": "json_object"}}}
    async with running([REFUSED], [REFUSED]) as world:
        whole = Response.model_validate((await world.client.post("/v1/responses", json=body)).json(), strict=False)
        stream = await world.client.post("/v1/responses", json=body | {"stream": True})
        later = await world.client.post("/v1/responses", json={"model": "auto", "input": "why?", "previous_response_id": whole.id})
        shown = [message.text for message in world.small.calls[-1].messages]
    events = [json.loads(line.removeprefix("data: ")) for line in stream.text.splitlines() if line.startswith("data: ")]
    part = {"type": "refusal", "refusal": REFUSED.text}
    assert (whole.status, [one.to_dict() for one in whole.output[0].content]) == ("completed", [part])  # type: ignore[union-attr]
    deltas = [ResponseRefusalDeltaEvent.model_validate(one).delta for one in events if one["type"] == "response.refusal.delta"]
    assert "".join(deltas) == REFUSED.text
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["output"][0]["content"] == [part]
    assert not any("output_text" in one["type"] for one in events)
    assert later.status_code == 200
    assert shown == ["hi", REFUSED.text, "why?"]


@pytest.mark.parametrize("stream", [False, True])
async def test_plain_completions_have_no_word_for_it_and_give_no_text(stream: bool) -> None:
    body = {"model": "auto", "prompt": "hi", "structured_outputs": {"regex": "a+"}, "stream": stream}
    async with running([REFUSED], [REFUSED]) as world:
        response = await world.client.post("/v1/completions", json=body)
    choices = [choice for one in (chunks(response) if stream else [response.json()]) for choice in one["choices"]]
    assert [(choice["text"], choice["finish_reason"]) for choice in choices] == [("", "content_filter")]
