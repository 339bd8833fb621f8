"""An upstream that misbehaves below the level of HTTP, and keeps count of what it was asked and what it told."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.server.engines.openai.upstream import USAGE, completion, delta

TEXT = "the whole answer"
RST = struct.pack("ii", 1, 0)


def whole(streamed: bool, text: str = TEXT) -> bytes:
    """The bytes of a good answer."""
    if not streamed:
        return answer(json.dumps(completion(text)).encode())
    return head("content-type: text/event-stream", "transfer-encoding: chunked") + b"".join(map(chunked, (*events(text), b"")))


def events(text: str = TEXT) -> list[bytes]:
    """The events of a good stream."""
    told = [delta("", role="assistant"), *(delta(f"{word} ") for word in text.split()), delta(None, "stop"), USAGE]
    return [*(f"data: {json.dumps(one)}\n\n".encode() for one in told), b"data: [DONE]\n\n"]


def chunked(piece: bytes) -> bytes:
    """A chunk of a body that is sent in chunks; the empty one is the last."""
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def head(*lines: str, status: str = "200 OK") -> bytes:
    """Everything before the body."""
    return "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode()


def answer(body: bytes, length: int | None = None, status: str = "200 OK", *more: str) -> bytes:
    """A JSON body with its length, or the one it claims."""
    said = len(body) if length is None else length
    return head("content-type: application/json", f"content-length: {said}", *more, status=status) + body


@dataclass(slots=True)
class Wire:
    """One request on a connection: `turn` counts those that this upstream was sent, from 0."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    streamed: bool
    turn: int
    told: int = 0
    """Good answers that were sent whole."""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def good(self) -> None:
        await self.send(whole(self.streamed))
        self.told += 1

    async def open(self) -> None:
        """The beginning of a good answer, with its first words where it is a stream."""
        await self.send(whole(self.streamed)[: 400 if self.streamed else 120])

    async def begin(self) -> None:
        """The same, and time for the other side to read it."""
        await self.open()
        await asyncio.sleep(0.4)

    async def silence(self) -> None:
        """Until the other side leaves."""
        await self.reader.read(1)

    def reset(self) -> None:
        found: socket.socket = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        self.writer.transport.abort()


Fault = Callable[[Wire], Awaitable[None]]


@dataclass(slots=True)
class Chaos:
    """Plays one fault to all who ask; `asked` are the bodies of its requests, `told` counts the good answers that it sent whole."""

    fault: Fault
    url: str = ""
    asked: list[dict[str, object]] = field(default_factory=list)
    told: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    await self._exchange(reader, writer)
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).lower()
        if asked.startswith(b"get"):
            writer.write(answer(b"{}"))
            return
        length = next(int(line.partition(b":")[2]) for line in asked.split(b"\r\n") if line.startswith(b"content-length"))
        self.asked.append(json.loads(await reader.readexactly(length)))
        wire = Wire(reader, writer, bool(self.asked[-1].get("stream")), len(self.asked) - 1)
        try:
            await self.fault(wire)
        finally:
            self.told += wire.told


@asynccontextmanager
async def playing(fault: Fault) -> AsyncIterator[Chaos]:
    """The upstream, listening on a free port until the block ends."""
    chaos = Chaos(fault)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(chaos.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**22)
    chaos.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield chaos
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
