"""More than fits, and clients that do not read: work is shed at once, memory stays bounded, and afterwards all is as before."""

import asyncio
import json
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.build import gateway
from tests.server.faults.chaos import Wire, chunked, events, head, playing
from tests.server.harness import Reply, ScriptedEngine, settings
from tests.serving import served

PLACES, SECONDS = 8, 0.1
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
SOCKETS = 24_000_000
"""What the kernel's and the libraries' buffers of both connections may hold, in bytes; the endless answer is far longer."""


async def test_five_times_what_fits_is_shed_with_429_and_over_when_the_load_is() -> None:
    small = ScriptedEngine("slm", [Reply("small says", delay=SECONDS)])
    made = gateway(settings(listen={"max_concurrency": PLACES}), Path("/nowhere"), engines={"slm": small}, write=lambda _line: None)
    with served(made.app) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=httpx.Limits(max_connections=None)) as client:
            found = await asyncio.gather(*(asking(client, number / (5 * PLACES / SECONDS)) for number in range(120)))
            codes = Counter(response.status_code for response, _ in found)
            assert set(codes) == {200, 429}
            assert codes[200] >= PLACES
            assert all(response.headers["retry-after"] == "1" for response, _ in found if response.status_code == 429)
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
    metric = made.metrics.registry.get_sample_value
    assert metric("smallfirst_requests_total", {"route": "auto", "tier": "small", "code": "ok"}) == codes[200] + 1
    assert metric("smallfirst_requests_total", {"route": "", "tier": "", "code": "overloaded"}) == codes[429]
    assert len(small.calls) == codes[200] + 1
    assert made.parts.admission.inflight == 0


async def asking(client: httpx.AsyncClient, after: float) -> tuple[httpx.Response, float]:
    """An answer and its seconds, asked for `after` seconds, whatever became of the others."""
    await asyncio.sleep(after)
    started = time.monotonic()
    return await client.post("/v1/chat/completions", json=CHAT), time.monotonic() - started


class Endless:
    """A good stream that goes on for as long as somebody takes it."""

    def __init__(self) -> None:
        self.sent, self.over = 0, asyncio.Event()

    async def __call__(self, wire: Wire) -> None:
        piece = chunked(events("word" * 1000)[1] * 10)  # mostly text: what comes together goes on as one event
        try:
            await wire.send(head("content-type: text/event-stream", "transfer-encoding: chunked"))
            while True:
                await wire.send(piece)
                self.sent += len(piece)
        finally:
            self.over.set()


def one_tier(url: str, **listen: Any) -> Any:
    engine = {"kind": "openai", "flavour": "openai", "base_url": url, "model": "m", "max_response_bytes": 10**10}
    route = {"tiers": [{"engine": "slm", "price": {"prompt": 1, "completion": 1}}], "when_all_abstain": "accept"}
    return settings(engines={"slm": engine}, routes={"auto": route}, aliases={}, listen=listen)


async def stuck(url: httpx.URL) -> asyncio.StreamWriter:
    """A client that asks for a stream and reads no more than its first bytes."""
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    body = json.dumps(CHAT | {"stream": True}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
    writer.write(b"content-length: %d\r\n\r\n" % len(body) + body)
    await reader.readuntil(b"data: ")
    return writer


@pytest.mark.parametrize("leaves", [True, False], ids=["leaves", "stays"])
async def test_a_client_that_does_not_read_holds_the_upstream_back_and_is_gone_in_the_end(leaves: bool) -> None:
    play = Endless()
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(playing(play))
        made = gateway(one_tier(upstream.url, stall=60 if leaves else 1), Path("/nowhere"), write=lambda _line: None)
        writer = await stuck(httpx.URL(stack.enter_context(served(made.app))))
        before = -1
        while leaves and play.sent > before:
            before = play.sent
            await asyncio.sleep(0.3)
        if leaves:
            writer.transport.abort()
        await asyncio.wait_for(play.over.wait(), 10)
        assert play.sent < SOCKETS
        while made.parts.admission.inflight:
            await asyncio.sleep(0.01)
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()
    assert made.metrics.registry.get_sample_value("smallfirst_requests_total", {"route": "auto", "tier": "", "code": "cancelled"}) == 1
