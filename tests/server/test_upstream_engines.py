"""The gateway in front of a server of its own engines: whether it is ready, and what it hands on of a request besides its text."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.build import gateway
from server.config import checked
from tests.server.engines.openai.upstream import Play, Upstream, completion, json_play, serving

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def behind(*plays: Play, **engine: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Upstream]]:
    async with serving(*plays) as upstream:
        slm = {"kind": "openai", "base_url": upstream.url, "model": "m", "retries": 0} | engine
        route = {"tiers": [{"engine": "slm", "price": {"prompt": 1, "completion": 1}}], "when_all_abstain": "accept"}
        made = gateway(checked({"engines": {"slm": slm}, "routes": {"auto": route}}), Path("/nowhere"), write=lambda line: None)
        transport = httpx.ASGITransport(made.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client, upstream
        for found in made.parts.engines.values():
            await found.close()


async def test_a_gateway_whose_only_engine_keeps_failing_is_not_ready_though_its_server_says_it_is_well() -> None:
    async with behind(json_play({}, 500)) as (client, _):
        assert (await client.get("/readyz")).status_code == 200
        for _ in range(5):
            await client.post("/v1/chat/completions", json=BODY)
        told = await client.get("/readyz")
    assert (told.status_code, told.json()["engines"]) == (503, {"slm": False})


@pytest.mark.parametrize(
    ("sent", "reached"),
    [
        ({"traceparent": TRACEPARENT, "tracestate": "vendor=1"}, {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}),
        ({"traceparent": "nonsense", "tracestate": "vendor=1"}, {}),
        ({}, {}),
    ],
    ids=["a trace", "no valid one", "none"],
)
async def test_a_clients_trace_goes_on_in_the_engines_server(sent: dict[str, str], reached: dict[str, str]) -> None:
    async with behind(json_play(completion())) as (client, upstream):
        await client.post("/v1/chat/completions", json=BODY, headers=sent)
    assert {name: value for name, value in upstream.headers[0].items() if name.startswith("trace")} == reached


async def test_an_adapter_is_asked_by_its_name_and_listed_as_a_model() -> None:
    async with serving(json_play(completion())) as upstream:
        slm = {"kind": "openai", "base_url": upstream.url, "model": "base", "retries": 0}
        price = {"prompt": 1, "completion": 1}
        route = {"tiers": [{"engine": "slm", "price": price}, {"engine": "sql", "price": price}], "when_all_abstain": "accept"}
        engines = {"slm": slm, "sql": {"kind": "adapter", "of": "slm", "adapter": "sql-lora"}}
        made = gateway(checked({"engines": engines, "routes": {"auto": route}}), Path("/nowhere"), write=lambda line: None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://localhost") as client:
            listed = (await client.get("/v1/models")).json()["data"]
            for model in ("auto/slm", "auto/sql"):
                await client.post("/v1/chat/completions", json=BODY | {"model": model})
        for found in made.parts.engines.values():
            await found.close()
    assert "auto/sql" in [model["id"] for model in listed]
    assert [request["model"] for request in upstream.requests] == ["base", "sql-lora"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_that_the_last_server_finds_too_long_is_the_clients_matter(stream: bool) -> None:
    """What is sent is measured before, but a server's own template may add to it, and not every tier says how long its context is."""
    said = {"error": {"message": "This model's maximum context length is 10 tokens. However, you requested 20.", "code": 400}}
    async with behind(json_play(said, 400)) as (client, _):
        found = await client.post("/v1/chat/completions", json=BODY | {"stream": stream})
    told = found.json()["error"]
    assert (found.status_code, told["code"], told["param"]) == (400, "context_length_exceeded", "messages")
    assert found.headers["x-smallfirst-deferrals"] == "context"
