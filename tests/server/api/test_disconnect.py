"""The client leaves: the work stops, all the way to the engine, and what it spent is counted."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.server.harness import PATH, Reply, World, running


class Wire:
    """A client's end of one ASGI exchange, which can go away."""

    def __init__(self, world: World, body: dict[str, Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self._incoming = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
        self._app = world.gateway.app

    async def receive(self) -> dict[str, Any]:
        if self._incoming:
            return self._incoming.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def run(self) -> None:
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("gateway", 80),
            "client": ("client", 1),
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }
        await self._app(scope, self.receive, self.send)


def body(*, stream: bool = False, model: str = "auto") -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi there"}]}


@pytest.fixture
async def hanging() -> AsyncIterator[World]:
    async with running([Reply(hang=True)], [Reply(chunks=("first ",), hang=True)]) as world:
        yield world


async def leave_when_running(world: World, wire: Wire) -> None:
    task = asyncio.create_task(wire.run())
    while not (world.small.running or world.large.running):
        await asyncio.sleep(0)
    wire.left.set()
    await asyncio.wait_for(task, 2)


@pytest.mark.parametrize("stream", [False, True])
async def test_before_the_commit_the_engine_is_cancelled_at_once(hanging: World, stream: bool) -> None:
    await leave_when_running(hanging, Wire(hanging, body(stream=stream)))
    assert len(hanging.small.cancelled) == 1
    assert not hanging.small.running
    assert not hanging.large.calls


async def test_within_a_live_stream_the_engine_is_cancelled_at_once(hanging: World) -> None:
    wire = Wire(hanging, body(stream=True, model="auto/large"))
    task = asyncio.create_task(wire.run())
    while not any(b"first" in message.get("body", b"") for message in wire.sent):
        await asyncio.sleep(0)
    wire.left.set()
    await asyncio.wait_for(task, 2)
    assert len(hanging.large.cancelled) == 1
    assert not any(b"[DONE]" in message.get("body", b"") for message in wire.sent)


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelled_work_is_an_outcome_with_its_cost(hanging: World, stream: bool) -> None:
    await leave_when_running(hanging, Wire(hanging, body(stream=stream)))
    assert await hanging.metric("requests_total", route="auto", tier="", code="cancelled") == 1
    assert await hanging.metric("attempts_total", route="auto", tier="small", result="cancelled") == 1
    assert await hanging.metric("cost_usd_total", route="auto", tier="small", kind="cancelled") == pytest.approx(2e-6)
    assert [line["code"] for line in hanging.logged] == ["cancelled"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_place_in_flight_is_given_back(hanging: World, stream: bool) -> None:
    await leave_when_running(hanging, Wire(hanging, body(stream=stream)))
    assert hanging.gateway.parts.admission.inflight == 0
    assert await hanging.metric("inflight", route="auto") == 0
