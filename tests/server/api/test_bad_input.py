"""Every bad input is one clear error in OpenAI's shape that names the field, and the server lives on."""

import gzip
import json
from codecs import BOM_UTF8
from typing import Any

import pytest

from tests.server.harness import PATH, TOOLS, error, running

INVALID = (400, "invalid_request_error", "invalid_request")
UNSUPPORTED = (400, "invalid_request_error", "unsupported_parameter")
USER = {"role": "user", "content": "hi"}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def function(**changes: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **changes}}


def schema(given: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "s", "schema": given, **more}}


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0].text"),
        ({"messages": [USER, {"role": "assistant"}]}, "messages[1]"),
        ({"messages": [USER, {"role": "assistant", "content": []}]}, "messages[1]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"messages": [USER, {"role": "tool", "tool_call_id": "c", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"messages": [USER] * 3000}, "messages"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"stop_token_ids": [-1]}, "stop_token_ids[0]"),
        ({"bad_words": [""]}, "bad_words[0]"),
        ({"n": 0}, "n"),
        ({"n": 100}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"seed": 2**64}, "seed"),
        ({"stop": ["a"] * 33}, "stop"),
        ({"stop": ""}, "stop"),
        ({"logit_bias": {"a": 1}}, "logit_bias.a"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": schema({"type": "strange"})}, "response_format.json_schema.schema"),
        ({"response_format": schema(nested(80))}, "response_format.json_schema.schema"),
        ({"response_format": schema([])}, "response_format.json_schema.schema"),
        ({"response_format": schema({"type": "object", "properties": {"a": {}}}, strict=True)}, "response_format.json_schema.schema"),
        ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "("}}, "structured_outputs.regex"),
        ({"structured_outputs": {"json": "{"}}, "structured_outputs.json"),
        ({"tools": [function(name="has space")]}, "tools[0].function.name"),
        ({"tools": [function(), function()]}, "tools[1].function.name"),
        ({"tools": [function(parameters=[])]}, "tools[0].function.parameters"),
        ({"tools": [function(parameters={"type": "strange"})]}, "tools[0].function.parameters"),
        ({"tools": [function(parameters=nested(80))]}, "tools[0].function.parameters"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "sometimes", "tools": TOOLS}, "tool_choice"),
        ({"tool_choice": function(), "tools": TOOLS}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}, "tools": TOOLS}, "tool_choice"),
    ],
)
async def test_what_makes_no_sense_is_an_invalid_request_that_names_the_field(asked: dict[str, Any], param: str) -> None:
    async with running() as world:
        response = await world.ask(**asked)
        assert error(response)[:3] == INVALID, response.text
        assert (await world.ask()).status_code == 200
    found = error(response)[3]
    assert found is not None
    assert found.startswith(param), response.text


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"messages": [{**USER, "mood": "good"}]}, "messages[0].mood"),
        ({"stream": True, "stream_options": {"include_usage": True, "speed": 1}}, "stream_options.speed"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities[1]"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}, "messages[0].content[0].file.file_id"),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "http://a/b"}}]}]},
            "messages[0].content[0].type",
        ),
        ({"prompt_cache_retention": "in_memory"}, "prompt_cache_retention"),
        ({"store": True}, "store"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].role"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0].type"),
        ({"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "c"}}}, "tool_choice.type"),
        ({"tools": TOOLS, "structured_outputs": {"json_object": True}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a", "whitespace_pattern": " "}}, "structured_outputs.whitespace_pattern"),
        ({"tools": TOOLS, "logprobs": True}, "logprobs"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b.png"}}]}]}, "messages"),
    ],
)
async def test_what_is_not_supported_is_refused_by_its_name_and_never_dropped(asked: dict[str, Any], param: str) -> None:
    async with running() as world:
        response = await world.ask(**asked)
    assert error(response) == (*UNSUPPORTED, param), response.text


@pytest.mark.parametrize(
    "asked", [{"reasoning_effort": "low"}, {"verbosity": "low"}, {"top_k": 5}, {"min_p": 0.1}, {"repetition_penalty": 1.1}]
)
async def test_what_no_engine_of_the_route_knows_is_refused(asked: dict[str, Any]) -> None:
    async with running() as world:
        facts = world.gateway.parts.names.routes["auto"]
        object.__setattr__(facts, "parameters", frozenset())
        assert error(await world.ask(**asked)) == (*UNSUPPORTED, next(iter(asked)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b'{"model": "auto", "messages": [NaN]}',
        b"\xff\xfe",
        b'{"model":"\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 300,
    ],
)
async def test_a_body_that_is_no_json_object_is_an_invalid_request(body: bytes) -> None:
    async with running() as world:
        response = await world.client.post(PATH, content=body, headers={"content-type": "application/json"})
        assert error(response) == (*INVALID, None), response.text
        assert (await world.ask()).status_code == 200


async def test_a_byte_order_mark_before_a_body_is_passed_over() -> None:
    """RFC 8259, 8.1; editors and shells on Windows write one, and FastAPI, which vLLM is served by, takes it."""
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    async with running() as world:
        for more in ({}, {"metadata": {"a": "NaN"}}):
            said = BOM_UTF8 + json.dumps({**body, **more}).encode()
            response = await world.client.post(PATH, content=said, headers={"content-type": "application/json"})
            assert response.status_code == 200, response.text


@pytest.mark.parametrize("model", ["gpt-99", "auto/huge", "auto/", "/small", "other/small", "AUTO", "auto/small/x"])
async def test_an_unknown_model_is_not_found(model: str) -> None:
    async with running() as world:
        assert error(await world.ask(model=model)) == (404, "invalid_request_error", "model_not_found", "model")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_the_limit_is_too_large_and_not_read_to_its_end(declared: bool) -> None:
    async def pieces() -> Any:
        for _ in range(5):
            yield b" " * 1_000_000

    body = b" " * 5_000_000 if declared else pieces()
    async with running() as world:
        response = await world.client.post(PATH, content=body, headers={"content-type": "application/json"})
        assert error(response) == (413, "invalid_request_error", "request_too_large", None)
        assert (await world.ask()).status_code == 200


async def test_a_schema_nested_200_deep_is_an_invalid_request() -> None:
    async with running() as world:
        asked: list[dict[str, Any]] = [{"response_format": schema(nested(200))}, {"tools": [function(parameters=nested(200))]}]
        for body in asked:
            assert error(await world.ask(**body)) == (*INVALID, next(iter(body)))


@pytest.mark.parametrize(
    ("path", "method", "expected"), [("/v1/nothing", "GET", (404, "not_found")), (PATH, "GET", (405, "method_not_allowed"))]
)
async def test_unknown_paths_and_methods_have_the_same_shape(path: str, method: str, expected: tuple[int, str]) -> None:
    async with running() as world:
        response = await world.client.request(method, path)
    assert (error(response)[0], error(response)[2]) == expected


async def test_another_media_type_is_refused() -> None:
    async with running() as world:
        response = await world.client.post(PATH, content=json.dumps({}), headers={"content-type": "text/plain"})
    assert error(response)[:3] == (415, "invalid_request_error", "unsupported_media_type")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
async def test_a_compressed_body_is_refused_as_one_and_not_as_broken_json(coding: str) -> None:
    sent = {"content-type": "application/json", "content-encoding": coding}
    async with running() as world:
        response = await world.client.post(PATH, content=gzip.compress(b"{}"), headers=sent)
        plain = await world.ask(headers={"content-encoding": "identity"})
    assert error(response)[:3] == (415, "invalid_request_error", "unsupported_media_type")
    assert coding in response.json()["error"]["message"]
    assert plain.status_code == 200


async def test_a_conversation_that_fits_no_tier_is_too_long() -> None:
    tiers = [{"name": "small", "engine": "slm", "price": {"prompt": 1, "completion": 1}, "context": 5}]
    async with running(route={"tiers": tiers}, aliases={}) as world:
        assert error(await world.ask("one two three four five six"))[:3] == (400, "invalid_request_error", "context_length_exceeded")


async def test_refusals_are_counted_by_their_code() -> None:
    async with running() as world:
        await world.ask(colour="red")
        await world.ask(model="nope")
        await world.ask(temperature=9)
        counted = [
            await world.metric("requests_total", route="", tier="", code=code)
            for code in ("unsupported_parameter", "model_not_found", "invalid_request")
        ]
    assert counted == [1, 1, 1]


@pytest.mark.parametrize(
    ("asked", "limit"),
    [({"stop": ["a"] * 33}, "at most 32 items"), ({"messages": [{"role": "user", "content": []}]}, "at least 1 item")],
)
async def test_a_list_that_is_too_long_or_empty_is_not_told_to_be_a_text(asked: dict[str, Any], limit: str) -> None:
    async with running() as world:
        assert limit in (await world.ask(**asked)).json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "asked", "param"),
    [
        ("completions", {"prompt": ["a", "b"]}, "prompt"),
        ("completions", {"prompt": [5]}, "prompt[0]"),
        ("embeddings", {"input": [5, 6]}, "input[0]"),
    ],
)
async def test_several_prompts_and_token_ids_are_not_supported(path: str, asked: dict[str, Any], param: str) -> None:
    async with running() as world:
        assert error(await world.client.post(f"/v1/{path}", json={"model": "auto", **asked})) == (*UNSUPPORTED, param)
