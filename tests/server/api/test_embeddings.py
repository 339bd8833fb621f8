"""`/v1/embeddings`: routed to the tier that has them, checked, and refused clearly where there is none."""

import base64
import json
import struct
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from server.build import gateway
from server.config import checked
from tests.server.engines.openai.upstream import Play
from tests.server.harness import error, running

FOUND = {"object": "list", "data": [{"index": 0, "embedding": [0.5, -1.0]}], "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}}


async def ask(play: Play, **body: Any) -> tuple[httpx.Response, list[Any]]:
    """A gateway whose only engine is a real server on this machine."""
    seen: list[Any] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append(json.loads(await request.read()))
        return web.Response(status=play.status, body=b"".join(play.pieces), content_type=play.content_type)

    app = web.Application()
    app.router.add_post("/v1/embeddings", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    engine = {"kind": "openai", "base_url": url, "model": "m", "embeddings": True, "retries": 0}
    tiers = [{"engine": "s", "price": {"prompt": 1, "completion": 1}}, {"engine": "e", "price": {"prompt": 1, "completion": 1}}]
    engines = {"s": {"kind": "scripted", "replies": ["-"]}, "e": engine}
    made = gateway(checked({"engines": engines, "routes": {"auto": {"tiers": tiers}}}), Path("/nowhere"), write=lambda line: None)
    transport = httpx.ASGITransport(made.app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/v1/embeddings", json={"model": "auto", "input": "hi", **body}), seen
    finally:
        await made.parts.engines["e"].close()
        await runner.cleanup()


def whole(document: object) -> Play:
    return Play((json.dumps(document).encode(),))


async def test_a_byte_order_mark_before_them_is_passed_over() -> None:
    response, _ = await ask(Play((BOM_UTF8 + json.dumps(FOUND).encode(),)))
    assert response.json()["data"][0]["embedding"] == [0.5, -1.0]


async def test_the_tier_that_has_them_answers() -> None:
    response, seen = await ask(whole(FOUND), dimensions=2)
    assert response.headers["x-smallfirst-tier"] == "e"
    assert response.json()["data"] == [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]
    assert response.json()["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert seen == [{"model": "m", "input": ["hi"], "encoding_format": "float", "dimensions": 2}]


async def test_vectors_are_packed_as_the_official_client_asks() -> None:
    response, _ = await ask(whole(FOUND), encoding_format="base64")
    assert struct.unpack("<2f", base64.b64decode(response.json()["data"][0]["embedding"])) == (0.5, -1.0)


@pytest.mark.parametrize(
    "play",
    [
        whole({"data": []}),
        whole({"data": [{"index": 0, "embedding": []}]}),
        whole({"data": [{"index": 1, "embedding": [1.0]}]}),
        whole(FOUND | {"data": [{"index": 0, "embedding": [0.5, -1.0, 0.25]}]}),
        whole(FOUND | {"data": [{"index": 0, "embedding": [0.5, 1e39]}]}),
        whole(FOUND | {"usage": {"prompt_tokens": 10**30}}),
        whole({"error": {"message": "no"}}),
        Play((b"<html>",)),
        Play((b"{}",), status=500),
    ],
)
async def test_a_wrong_answer_is_an_engine_error(play: Play) -> None:
    response, _ = await ask(play, dimensions=2, encoding_format="base64")
    assert error(response)[:3] == (502, "api_error", "engine_error")


async def test_where_no_tier_has_them_the_endpoint_is_refused() -> None:
    async with running() as world:
        response = await world.client.post("/v1/embeddings", json={"model": "auto", "input": "hi"})
    assert error(response) == (400, "invalid_request_error", "unsupported_endpoint", "model")
