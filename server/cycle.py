"""One request and its answer on a connection, as the HTTP server has them, with a shorter way for an answer that is known whole."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from server.framing import Header

if TYPE_CHECKING:
    from server.connections import Bounded

CLOSE = b"connection: close"
_CONTROL = bytes({*range(32), 127} - {ord("\t")})


class Arrival:
    """An asyncio.Event that costs as much as one only where somebody has to wait."""

    here = False
    _event: asyncio.Event | None = None

    def set(self) -> None:
        """Let go who waits."""
        self.here = True
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Until it is set, which it is not."""
        self._event = self._event or asyncio.Event()
        await self._event.wait()


class Cycle(RequestResponseCycle):
    """The server's own, which takes what `server.api.whole` describes: a start that has a body is all of an answer."""

    transport: Any
    message_event: Any
    access_log = disconnected = response_started = response_complete = False
    more_body = True
    chunked_encoding: bool | None = None
    expected_content_length = 0

    def __init__(self, connection: Bounded, expects: bool, keep_alive: bool) -> None:
        """All that the server's own sets, which is told each of it."""
        self.scope, self.transport, self.flow = connection.scope, connection.transport, connection.flow
        self.logger, self.default_headers = connection.logger, connection.server_state.default_headers
        self.message_event, self.body = Arrival(), bytearray()
        self.on_response = connection.on_response_complete
        self.waiting_for_100_continue, self.keep_alive = expects, keep_alive

    async def receive(self) -> Any:
        """What has come of the body since the last time, or that the client has left."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not (self.disconnected or self.response_complete):
            if self.flow.read_paused:
                self.flow.resume_reading()
            if not self.message_event.here:
                await self.message_event.wait()
            self.message_event.here = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, bytearray()
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """What of the answer comes next; raises RuntimeError where it cannot come now, or has a header that is none."""
        if message["type"] == "http.response.start" and "body" in message:
            return self._whole(message["status"], message["headers"], message["body"])
        return super().send(message)

    async def _whole(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """In one piece."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self.response_started:
            raise RuntimeError("an answer was begun already")
        head = self._head(status, headers)
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write_whole(head if self.scope["method"] == "HEAD" else head + body)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _head(self, status: int, headers: Iterable[Header]) -> bytes:
        lines = list(map(b": ".join, (*self.default_headers, *headers)))
        if CLOSE in lines:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(CLOSE)
        head = b"\r\n".join(lines)
        if len(head.translate(None, _CONTROL)) != len(head) - 2 * len(lines) + 2:
            raise RuntimeError("a header of the answer has a control character")
        return b"%b%b\r\n\r\n" % (STATUS_LINE[status], head)
