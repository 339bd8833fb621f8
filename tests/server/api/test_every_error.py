"""Every error of the table, as the official client meets it on a real server: status, type, code and param."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from router.errors import ConfigError, EngineFailure, EngineOverloaded, EngineProtocolError, EngineTimeout
from router.types import EngineCall
from server.api.errors import HTTP_CODES, TABLE
from server.engines.scripted import Script
from tests.server.access.keyrings import keys_file
from tests.server.harness import TOOLS, WRONG, Reply, World, world
from tests.serving import served

ASKED: Any = [{"role": "user", "content": "hello there"}]
ENGINES = {"small": "slm", "large": "llm"}
TIERS = [{"name": name, "engine": engine, "price": {"prompt": 1, "completion": 1}} for name, engine in ENGINES.items()]
OUTSIDE = [{**tier, "location": "outside"} for tier in TIERS]
NARROW = [{**tier, "context": 3} for tier in TIERS]
CUT = [Reply('{"tool_calls":[', finish_reason="length")]
GUARDED = {"guards": [{"kind": "prompt", "patterns": ["hello"]}]}
AWAY = {"url": "sqlite:////proc/nowhere/responses.db"}


def chat(client: OpenAI, **body: Any) -> object:
    return client.chat.completions.create(**{"model": "auto", "messages": ASKED, **body})


def broken(_call: EngineCall) -> Reply:
    raise ZeroDivisionError("a secret of the engine")


@dataclass(frozen=True)
class Case:
    """What is asked of which gateway, and the error that comes: status, type, code, param.

    With `key` the gateway asks for keys, and the client has one with these scopes, or sends `sent` instead.
    """

    expected: tuple[int, str, str, str | None]
    ask: Callable[[OpenAI], object] = chat
    small: Script = ("small says",)
    large: Script = ("large says",)
    changes: Mapping[str, Any] = field(default_factory=dict)
    key: Mapping[str, Any] | None = None
    sent: str | None = None


def failing(expected: tuple[int, str, str, str | None], failure: EngineFailure) -> Case:
    return Case(expected, small=[Reply(failure=EngineFailure("the small one fails too"))], large=[Reply(failure=failure)])


def invalid(code: str, param: str | None, status: int = 400) -> tuple[int, str, str, str | None]:
    return status, "invalid_request_error", code, param


CASES = {
    "a value out of range": Case(invalid("invalid_request", "temperature"), lambda c: chat(c, temperature=3)),
    "a parameter that is not served": Case(
        invalid("unsupported_parameter", "prediction"), lambda c: chat(c, prediction={"type": "content", "content": "x"})
    ),
    "a parameter that nobody knows": Case(invalid("unsupported_parameter", "best"), lambda c: chat(c, extra_body={"best": 1})),
    "a conversation too long for every tier": Case(
        invalid("context_length_exceeded", "messages"),
        lambda c: chat(c, messages=[{"role": "user", "content": "too many words for this"}]),
        changes={"route": {"tiers": NARROW}},
    ),
    "a model that is not there": Case(invalid("model_not_found", "model", 404), lambda c: chat(c, model="nobody")),
    "an answer that cannot fit": Case(
        invalid("max_tokens_too_small", "max_tokens"), lambda c: chat(c, tools=TOOLS, max_tokens=4), CUT, CUT
    ),
    "an endpoint that no tier has": Case(
        invalid("unsupported_endpoint", "model"), lambda c: c.embeddings.create(model="auto", input="x", encoding_format="float")
    ),
    "a response that is not stored": Case(
        invalid("previous_response_not_found", "previous_response_id"),
        lambda c: c.responses.create(model="auto", input="x", previous_response_id="resp_0"),
    ),
    "a body that is too large": Case(
        invalid("request_too_large", None, 413),
        lambda c: chat(c, messages=[{"role": "user", "content": "x" * 2000}]),
        changes={"limits": {"body_bytes": 1024}},
    ),
    "another media type": Case(
        invalid("unsupported_media_type", None, 415), lambda c: chat(c, extra_headers={"content-type": "text/plain"})
    ),
    "another method": Case(invalid("method_not_allowed", None, 405), lambda c: c.get("/chat/completions", cast_to=object)),
    "another path": Case(invalid("not_found", None, 404), lambda c: c.get("/nowhere", cast_to=object)),
    "data that may not leave": Case(
        (403, "permission_error", "residency_forbidden", None),
        lambda c: chat(c, metadata={"residency": "inside"}),
        changes={"route": {"tiers": OUTSIDE}},
    ),
    "a request that a guard lets nobody answer": Case(
        (403, "permission_error", "permission_denied", "messages"), changes={"route": GUARDED}
    ),
    "a store that cannot be reached": Case(
        (503, "api_error", "store_unavailable", None),
        lambda c: c.responses.create(model="auto", input="x", previous_response_id="resp_0"),
        changes={"responses": AWAY},
    ),
    "an engine that fails": failing((502, "api_error", "engine_error", None), EngineFailure("x")),
    "an engine that says nonsense": failing((502, "api_error", "engine_error", None), EngineProtocolError("x")),
    "an engine that has too much to do": failing((429, "rate_limit_error", "overloaded", None), EngineOverloaded("x")),
    "an engine that is too slow": failing((504, "timeout_error", "timeout", None), EngineTimeout("x")),
    "no answer that may be kept": Case((503, "api_error", "cascade_exhausted", None), lambda c: chat(c, tools=TOOLS), [WRONG], [WRONG]),
    "a deadline that passed": Case(
        (504, "timeout_error", "deadline_exceeded", None),
        small=[Reply("late", delay=5)],
        large=[Reply("late", delay=5)],
        changes={"route": {"budget": {"deadline": 0.2}}},
    ),
    "a key that is none": Case((401, "authentication_error", "invalid_api_key", None), key={}, sent="none"),
    "a key that has expired": Case(
        (401, "authentication_error", "invalid_api_key", None), key={"secret": {"expires": "2020-01-01T00:00:00Z"}}
    ),
    "a route that is not the key's": Case((403, "permission_error", "permission_denied", "model"), key={"routes": []}),
    "a key that asks too often": Case(
        (429, "rate_limit_error", "rate_limit_exceeded", None), lambda c: [chat(c) for _ in range(2)], key={"rate": 1}
    ),
    "a budget that is spent": Case((429, "rate_limit_error", "insufficient_quota", None), key={"budgets": {"day": {"usd": 0}}}),
    "a bug": Case((500, "api_error", "internal_error", None), small=broken),
}


@contextmanager
def asking(case: Case) -> Iterator[tuple[OpenAI, World]]:
    with TemporaryDirectory() as folder:
        file, keys = keys_file(Path(folder), ann=case.key or {})
        access = {} if case.key is None else {"access": {"keys_file": file}}
        made = world(case.small, case.large, **access, **case.changes)
        key = keys["ann"] if case.sent is None else case.sent
        with served(made.gateway.app) as url, OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30) as client:
            yield client, made


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_client_is_told(case: Case) -> None:
    with asking(case) as (client, _), pytest.raises(openai.APIStatusError) as caught:
        case.ask(client)
    found = caught.value
    assert isinstance(found.body, dict)
    assert (found.status_code, found.type, found.code, found.param) == case.expected
    assert found.body["message"]
    assert "secret of the engine" not in found.response.text
    assert found.response.headers["x-request-id"]
    assert ("retry-after" in found.response.headers) is (found.status_code == 429)


STREAMED = [name for name, case in CASES.items() if case.ask is chat]


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_that_fails_before_its_commit_is_told_the_same(name: str) -> None:
    case = CASES[name]
    with asking(case) as (client, _), pytest.raises(openai.APIStatusError) as caught:
        chat(client, stream=True)
    assert (caught.value.status_code, caught.value.type, caught.value.code, caught.value.param) == case.expected


async def test_a_full_house_says_when_to_come_again_and_who_leaves_is_only_counted() -> None:
    case = Case((429, "rate_limit_error", "overloaded", None), small=[Reply(hang=True)], changes={"listen": {"max_concurrency": 1}})
    with asking(case) as (client, made):
        async with AsyncOpenAI(base_url=client.base_url, api_key="none", max_retries=0, timeout=30) as patient:
            first = asyncio.create_task(patient.chat.completions.create(model="auto", messages=ASKED))
            await until(lambda: bool(made.small.running))
            with pytest.raises(openai.RateLimitError) as caught:
                await patient.chat.completions.create(model="auto", messages=ASKED)
            first.cancel()
            await until(lambda: bool(made.small.cancelled) and not made.small.running)
        await until(lambda: made.gateway.metrics.registry.get_sample_value(*GONE) == 1)
    assert (caught.value.status_code, caught.value.type, caught.value.code, caught.value.param) == case.expected
    assert int(caught.value.response.headers["retry-after"]) >= 1


GONE = ("smallfirst_requests_total", {"route": "auto", "tier": "", "code": "cancelled"})


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.01)


def test_the_cases_are_the_whole_table() -> None:
    told = {(case.expected[0], case.expected[2]) for case in CASES.values()}
    table = {(kind.status, error.code) for error, kind in TABLE.items() if error is not ConfigError}
    assert told | ELSEWHERE == table | {*HTTP_CODES.items()}


ELSEWHERE = {(499, "cancelled"), (408, "request_timeout"), (431, "headers_too_large")}
"""Told by no answer at all, or by the connection itself before there is a request: tests/server/test_connections.py."""
