"""One request and its answer on a connection, as the HTTP server has them, with a shorter way for an answer that is known whole."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from server.framing import Header
from server.joined import Joined

CLOSE = b"connection: close"
_CONTROL = bytes({*range(32), 127} - {ord("\t")})


class Cycle(RequestResponseCycle):
    """The server's own, which takes what `server.api.whole` describes: a start that has a body is all of an answer."""

    transport: Joined  # type: ignore[assignment]

    def __init__(self, connection: HttpToolsProtocol, expects: bool, keep_alive: bool) -> None:
        super().__init__(
            connection.scope,
            connection.transport,
            connection.flow,
            connection.logger,
            connection.access_logger,
            False,
            connection.server_state.default_headers,
            cast("asyncio.Event", Arrival()),
            expects,
            keep_alive,
            connection.on_response_complete,
        )

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
        lines = [name + b": " + value for name, value in (*self.default_headers, *headers)]
        if CLOSE in lines:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(CLOSE)
        head = b"\r\n".join(lines)
        if len(head.translate(None, _CONTROL)) != len(head) - 2 * len(lines) + 2:
            raise RuntimeError("a header of the answer has a control character")
        return b"%b%b\r\n\r\n" % (STATUS_LINE[status], head)


class Arrival:
    """An asyncio.Event that costs as much as one only where somebody has to wait."""

    def __init__(self) -> None:
        self._here = False
        self._event: asyncio.Event | None = None

    def set(self) -> None:
        """Let go who waits."""
        self._here = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        """Who waits from now on has to."""
        self._here = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> None:
        """Until it is set."""
        if not self._here:
            self._event = self._event or asyncio.Event()
            await self._event.wait()
