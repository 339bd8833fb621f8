"""A server on a real socket that plays what a test wrote down: whole answers, streams cut anywhere, and every fault."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Literal

from aiohttp import web

Ending = Literal["whole", "abort", "hang"]


@dataclass(frozen=True, slots=True)
class Play:
    """One answer: `pieces` are written `pause` seconds apart; `ending` may cut the connection or go silent after them."""

    pieces: tuple[bytes, ...] = ()
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    pause: float = 0.0
    ending: Ending = "whole"


@dataclass(slots=True)
class Upstream:
    """Answers the k-th request with the k-th play, the last one again when the list is through."""

    plays: Sequence[Play]
    url: str = ""
    requests: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    health: int = 200

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(json.loads(await request.read()))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.connections.add(request.transport)
        play = self.plays[min(len(self.requests), len(self.plays)) - 1]
        try:
            return await _perform(play, request)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise

    async def check(self, _: web.Request) -> web.Response:
        return web.Response(status=self.health)


async def _perform(play: Play, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(play.delay)
    response = web.StreamResponse(status=play.status, headers={"content-type": play.content_type, **dict(play.headers)})
    await response.prepare(request)
    for number, piece in enumerate(play.pieces):
        if number:
            await asyncio.sleep(play.pause)
        await response.write(piece)
    if play.ending == "abort":
        await asyncio.sleep(0.01)
        assert request.transport is not None
        request.transport.close()
    elif play.ending == "hang":
        await asyncio.sleep(60)
    else:
        await response.write_eof()
    return response


@dataclass(slots=True)
class Leaving:
    """How many connections were made to a server that leaves, and its address."""

    url: str
    connections: int = 0


@asynccontextmanager
async def leaving(whole: bytes, *first: bytes, after: float = 0.0) -> AsyncGenerator[Leaving, None]:
    """On its first connection a server gives these answers in turn and hangs up `after` seconds, on all others the whole one to each."""
    made, writers = Leaving(""), list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.connections += 1
        writers.append(writer)
        try:
            for said in first if made.connections == 1 else repeat(whole):
                sent = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(sent.lower().partition(b"content-length: ")[2].split()[0]))
                writer.write(said)
            await asyncio.sleep(after)
        except asyncio.IncompleteReadError:
            pass
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        yield made
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


@asynccontextmanager
async def serving(*plays: Play) -> AsyncGenerator[Upstream, None]:
    """The upstream, listening on a free port until the block ends."""
    upstream = Upstream(plays)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.chat)
    app.router.add_get("/health", upstream.check)
    app.router.add_get("/v1/models", upstream.check)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    upstream.url = f"http://{host}:{port}/v1"
    try:
        yield upstream
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(answer: bytes | Callable[[asyncio.StreamWriter], None]) -> AsyncGenerator[str, None]:
    """A server that writes these bytes to whoever connects, HTTP or not, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if isinstance(answer, bytes):
            writer.write(answer)
        else:
            answer(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.close()
        await server.wait_closed()


def json_play(body: object, status: int = 200, **more: Any) -> Play:
    """A complete JSON body."""
    return Play((json.dumps(body, ensure_ascii=False).encode(),), status, **more)


def sse_play(*events: object, done: bool = True, **more: Any) -> Play:
    """A stream of events, one piece each."""
    pieces = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events]
    return Play((*pieces, *([b"data: [DONE]\n\n"] if done else [])), content_type="text/event-stream", **more)


def completion(text: str | None = "hello", finish: str | None = "stop", **message: object) -> dict[str, object]:
    """A complete answer of one choice."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    return {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}


def delta(text: str | None = None, finish: str | None = None, *, index: int = 0, **more: object) -> dict[str, object]:
    """A chunk of one choice."""
    said = {} if text is None else {"content": text}
    return {"object": "chat.completion.chunk", "choices": [{"index": index, "delta": {**said, **more}, "finish_reason": finish}]}


USAGE: dict[str, object] = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
