"""The retriever at work: a real server's vectors choose the tools of the small tier, and its failure leaves the choice to words."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from router.errors import ConfigError
from server.build import gateway
from server.config import checked
from server.engines.scripted import ScriptedEngine
from tests.server.harness import PATH, settings

PRICE = {"prompt": 1, "completion": 1}
NAMES = ("ring", "rain", "song", "lamp")
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in NAMES]
CALL = '{"tool_calls":[{"name":"rain","arguments":{}}]}'
RETRIEVER = {"engine": "vectors", "price": PRICE}


@asynccontextmanager
async def vectors(status: int, seen: list[str] | None = None) -> AsyncIterator[str]:
    """A server whose vector of every text that has to do with rain is another one; it remembers what it was sent."""

    async def serve(request: web.Request) -> web.Response:
        texts = json.loads(await request.read())["input"]
        if seen is not None:
            seen.extend(texts)
        data = [
            {"index": at, "embedding": [1.0, 0.0] if "rain" in text or "umbrella" in text else [0.0, 1.0]} for at, text in enumerate(texts)
        ]
        return web.json_response({"data": data, "usage": {"prompt_tokens": 10}}, status=status)

    app = web.Application()
    app.router.add_post("/v1/embeddings", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


def document(url: str, **route: Any) -> dict[str, Any]:
    tiers = [{"name": "small", "engine": "slm", "price": PRICE, "keep_tools": 1}, {"name": "large", "engine": "llm", "price": PRICE}]
    engines = {name: {"kind": "scripted", "replies": ["-"]} for name in ("slm", "llm")}
    engines["vectors"] = {"kind": "openai", "base_url": url, "model": "m", "embeddings": True, "retries": 0}  # type: ignore[dict-item]
    return {"engines": engines, "routes": {"auto": {"tiers": tiers, "retriever": RETRIEVER, **route}}}


@pytest.mark.parametrize(("status", "shown", "tier"), [(200, "rain", "small"), (500, "ring", "large")])
async def test_vectors_choose_and_their_failure_leaves_it_to_words(status: int, shown: str, tier: str) -> None:
    async with vectors(status) as url:
        engines = {"slm": ScriptedEngine("slm", [CALL]), "llm": ScriptedEngine("llm", [CALL])}
        lines: list[str] = []
        made = gateway(checked(document(url)), Path("/nowhere"), engines=engines, write=lines.append)
        transport = httpx.ASGITransport(made.app, raise_app_exceptions=False)
        body = {
            "model": "auto",
            "messages": [{"role": "user", "content": "do I need an umbrella"}],
            "tools": TOOLS,
            "tool_choice": "required",
        }
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        async with made.app.router.lifespan_context(made.app), client:
            response = await client.post(PATH, json=body)
    assert response.headers["x-smallfirst-tier"] == tier
    assert [tool.name for tool in engines["slm"].calls[0].contract.tools] == [shown]
    assert all(len(call.contract.tools) == 4 for call in engines["llm"].calls)
    told = json.loads(lines[-1])
    attempts = sum(attempt["cost"] + sum(verdict["cost"] for verdict in attempt["verdicts"]) for attempt in told["attempts"])
    assert told["cost_usd"] - attempts == pytest.approx(1e-5 if status == 200 else 0.0, abs=1e-12)


@pytest.mark.parametrize("inside", [False, True])
async def test_a_retriever_outside_never_sees_what_must_stay_inside(inside: bool) -> None:
    seen: list[str] = []
    async with vectors(200, seen) as url:
        given = document(url, retriever={**RETRIEVER, "location": "outside"})
        engines = {"slm": ScriptedEngine("slm", [CALL]), "llm": ScriptedEngine("llm", [CALL])}
        made = gateway(checked(given), Path("/nowhere"), engines=engines, write=lambda line: None)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://localhost")
        body = {"model": "auto", "messages": [{"role": "user", "content": "do I need an umbrella"}], "tools": TOOLS}
        async with made.app.router.lifespan_context(made.app), client:
            response = await client.post(PATH, json=body | ({"metadata": {"residency": "inside"}} if inside else {}))
    assert (response.status_code, bool(seen)) == (200, not inside)


@pytest.mark.parametrize(
    ("route", "key"),
    [
        ({"retriever": {"engine": "slm", "price": PRICE}}, "routes.auto.retriever.engine"),
        ({"retriever": {"engine": "nobody", "price": PRICE}}, "routes.auto.retriever.engine"),
    ],
)
def test_a_retriever_without_vectors_is_refused(route: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked(document("http://a/v1", **route))
    assert caught.value.param == key


def test_a_retriever_that_has_nothing_to_choose_is_refused() -> None:
    slm = {"kind": "openai", "base_url": "http://a/v1", "model": "m", "embeddings": True}
    engines = {"slm": slm, "llm": {"kind": "scripted", "replies": ["-"]}}
    with pytest.raises(ConfigError, match="keep_tools"):
        settings(engines=engines, route={"retriever": {"engine": "slm", "price": PRICE}})
