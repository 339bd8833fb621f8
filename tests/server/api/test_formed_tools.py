"""Tools beside a form of JSON: the model calls one of them, or answers in the form, and nothing else passes."""

import json
from typing import Any

import pytest
from openai.types.responses import Response

from tests.server.harness import CALL, TOOLS, WRONG, chunks, content, error, running

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
RECURSIVE = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
ASKED: dict[str, Any] = {"tools": TOOLS, "response_format": FORM}
PLACE, PROSE, WRONG_FORM = '{"message":{"city":"Łódź"}}', '{"message":"In Łódź."}', '{"message":{"city":5}}'
BOTH = '{"message":{"city":"Oslo"},"tool_calls":[]}'


async def test_a_call_is_a_call() -> None:
    async with running([CALL]) as world:
        choice = (await world.ask(**ASKED)).json()["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "set_timer", "arguments": '{"minutes":5}'}


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_without_a_call_is_json_of_the_schema(stream: bool) -> None:
    async with running([PLACE]) as world:
        response = await world.ask(**ASKED, stream=stream)
    said = content(chunks(response)) if stream else response.json()["choices"][0]["message"]["content"]
    assert said == '{"city":"Łódź"}'


@pytest.mark.parametrize("draft", [WRONG, PROSE, WRONG_FORM, BOTH, '{"city":"Oslo"}', '{"message":null}'])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_draft_of_neither_kind_defers(draft: str, stream: bool) -> None:
    async with running([draft], [PLACE]) as world:
        response = await world.ask(**ASKED, stream=stream)
    assert (response.headers["x-smallfirst-tier"], response.headers["x-smallfirst-deferrals"]) == ("large", "contract")
    assert "5" not in response.json()["choices"][0]["message"]["content"] if not stream else content(chunks(response)) == '{"city":"Łódź"}'


@pytest.mark.parametrize(("draft", "kept"), [('{"message":{"a":[1]}}', True), ('{"message":[1]}', False), ('{"message":"{}"}', False)])
async def test_any_object_is_enough_for_json_object(draft: str, kept: bool) -> None:
    async with running([draft], [CALL]) as world:
        response = await world.ask(tools=TOOLS, response_format={"type": "json_object"})
    assert response.headers["x-smallfirst-tier"] == ("small" if kept else "large")


async def test_a_form_that_is_a_text_stays_json() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "word", "schema": {"enum": ["yes", "no"]}}}
    async with running(['{"message":"yes"}']) as world:
        assert (await world.ask(tools=TOOLS, response_format=form)).json()["choices"][0]["message"]["content"] == '"yes"'


async def test_references_of_the_form_go_on_resolving() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "list", "schema": RECURSIVE}}
    async with running(['{"message":{"next":{"next":1}}}'], ['{"message":{"next":{"next":{}}}}']) as world:
        response = await world.ask(tools=TOOLS, response_format=form)
        schema = world.small.calls[0].contract.schema or {}
    assert response.headers["x-smallfirst-tier"] == "large"
    assert schema["definitions"] == {"message": {**RECURSIVE, "properties": {"next": {"$ref": "#/definitions/message"}}}}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "set_timer"}}])
async def test_where_a_call_is_demanded_the_form_is_no_way_out(choice: Any) -> None:
    async with running([PLACE], [CALL]) as world:
        assert (await world.ask(**ASKED, tool_choice=choice)).headers["x-smallfirst-tier"] == "large"


async def test_where_no_call_is_wanted_the_form_alone_is_demanded() -> None:
    async with running(['{"city":"Oslo"}']) as world:
        assert (await world.ask(**ASKED, tool_choice="none")).json()["choices"][0]["message"]["content"] == '{"city":"Oslo"}'
        assert world.small.calls[0].contract.kind == "json_schema"


async def test_a_broken_form_is_refused_although_tools_are_there() -> None:
    broken = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "strange"}}}
    async with running() as world:
        found = error(await world.ask(tools=TOOLS, tool_choice="required", response_format=broken))
    assert found == (400, "invalid_request_error", "invalid_request", "response_format.json_schema.schema")


async def test_structured_outputs_beside_tools_are_refused() -> None:
    async with running() as world:
        found = error(await world.ask(tools=TOOLS, structured_outputs={"regex": "a+"}))
    assert found == (400, "invalid_request_error", "unsupported_parameter", "structured_outputs")


async def test_a_response_with_tools_and_a_format_is_either() -> None:
    functions = [{"type": "function", **TOOLS[0]["function"]}]  # type: ignore[dict-item]
    body = {
        "model": "auto",
        "input": "hi",
        "tools": functions,
        "text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA}},
    }
    async with running([WRONG_FORM], [PLACE, CALL]) as world:
        said = Response.model_validate((await world.client.post("/v1/responses", json=body)).json())
        called = Response.model_validate((await world.client.post("/v1/responses", json=body)).json())
        streamed = await world.client.post("/v1/responses", json={**body, "stream": True})
    assert json.loads(said.output_text) == {"city": "Łódź"}
    assert [item.type for item in called.output] == ["function_call"]
    assert '"function_call"' in streamed.text
    assert '"city":5' not in streamed.text
