"""Connections with bounds that the HTTP server lacks: how many, how long a client may take to send a request, how large its headers are.

A timer is set only where a request has not arrived with one piece, so that an ordinary one pays nothing for it.
"""

import asyncio
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from itertools import chain
from typing import Any, cast

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router.errors import HeadersTooLarge, InvalidRequest, RequestTooSlow, SmallfirstError
from server.access.presence import LEAVING, Told
from server.api import errors
from server.api.exchange import LATE
from server.framing import Header, Trailers, doubt, telling


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one connection: bytes of a request's line and headers, seconds for them, seconds for its body; and how many connections.

    `stall` is how many seconds what was sent may lie there without the client taking any of it.
    """

    header_bytes: int = 32_768
    header_seconds: float = 10.0
    body_seconds: float = 60.0
    connections: int = 4096
    stall: float = 60.0


class Phase(Enum):
    """Where a connection's newest request stands."""

    HEADERS = auto()
    BODY = auto()
    DONE = auto()


GRACE = 1.0
"""Seconds beyond the body's own limit, within which the application answers; and those to ask once more when the server leaves."""


def bounded(bounds: Bounds) -> type[asyncio.Protocol]:
    """uvicorn's option `http`: it calls what makes a connection, and hands it to its other processes, as it can no class made here."""
    return cast("type[asyncio.Protocol]", partial(Bounded, bounds))


class Bounded(HttpToolsProtocol):
    """One connection."""

    def __init__(self, bounds: Bounds, /, **given: Any) -> None:
        super().__init__(**given)
        self.bounds = bounds
        self.phase, self.seen = Phase.HEADERS, 0
        """Bytes that came since the last that were of a body, or the end of a head."""
        self.timed: Phase | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.leaving = Told()
        self.offered: int | None = None
        self.parting = False
        self.deaf = False
        """Whether what comes is dropped: the connection ends with the answers that are under way."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            transport.abort()
        else:
            _end_when_silent(transport, self.bounds.stall)
            self.transport = cast("asyncio.Transport", Joined(transport, self.loop))
            self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.phase = Phase.DONE
        self._time()
        super().connection_lost(exc)
        self.leaving.tell()

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self.seen += len(data)
        super().data_received(data)
        while self.offered is not None:
            data, self.offered = self._declined() + data[self.offered :], None
            super().data_received(data)
        if self.seen > self.bounds.header_bytes and self.phase is not Phase.DONE:
            self._refuse(_too_large(self.bounds))
        elif self.phase is not self.timed:
            self._time()

    def on_message_begin(self) -> None:
        self.phase = Phase.HEADERS
        super().on_message_begin()
        self.scope["state"][LEAVING] = self.leaving

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self._should_upgrade():  # the same head comes again without the offer
            super().on_headers_complete()
            return
        found = telling(self.headers)
        refusal = self._refusal(found)
        if refusal is None:
            super().on_headers_complete()
        else:
            served, self.app = self.app, _Refusing(refusal)
            super().on_headers_complete()
            self.app = served
        self.phase, self.seen = Phase.BODY, 0
        if self.parting or refusal is not None:
            self.cycle.keep_alive = False
        if len(found) > 1:  # a body in chunks, and its parser takes what may follow it for headers
            self.headers = Trailers()

    def on_body(self, body: bytes) -> None:
        self.seen = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.phase = Phase.DONE
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server leaves. An answer that has not begun says so; who cannot be told any more has time to ask again, and hears it then."""
        self.parting = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(GRACE, self._leave)
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        last = not self.pipeline
        super().on_response_complete()
        if self.deaf and last:
            self.transport.close()
        if self.parting:
            self.loop.call_later(GRACE, self._leave)

    def _leave(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """Any protocol that is offered: where in the data the parser stopped, as its exception says that the base class handles here."""
        stopped = sys.exception()
        self.offered = stopped.args[0] if stopped else 0

    def _should_upgrade(self) -> bool:
        return any(name == b"upgrade" for name, _ in self.headers)

    def _declined(self) -> bytes:
        """The head of the request once more, without the offer: its parser would drop the body, and an offer may be ignored.

        RFC 9110, 7.8. Java's own client offers HTTP/2 so with every request to a plain address.
        """
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        told = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        return b"".join((line, *told, b"\r\n"))

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, told in the shape of every other error, and never within an answer."""
        self._refuse(InvalidRequest(msg))

    def _refusal(self, found: Sequence[Header]) -> SmallfirstError | None:
        if self._size() > self.bounds.header_bytes:
            return _too_large(self.bounds)
        doubtful = doubt(found, self.parser.get_http_version())
        return None if doubtful is None else InvalidRequest(doubtful)

    def _size(self) -> int:
        return len(self.url) + 4 * len(self.headers) + sum(map(len, chain.from_iterable(self.headers)))

    def _time(self) -> None:
        """One timer for the phase that the request is in."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.timed = self.phase
        seconds = {Phase.HEADERS: self.bounds.header_seconds, Phase.BODY: self.bounds.body_seconds}.get(self.phase)
        if seconds is not None:
            self.timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        """Who said nothing yet is told nothing; in the middle of an answer there is nothing to be told either.

        Of a body that takes too long the application is told, which may be about to answer something else.
        """
        if self.phase is Phase.HEADERS and self.seen:
            self._refuse(RequestTooSlow(f"the headers took longer than {self.bounds.header_seconds:g} s"))
        elif self.phase is Phase.BODY and LATE not in self.scope["state"]:
            self.scope["state"][LATE] = f"the body took longer than {self.bounds.body_seconds:g} s"
            self.cycle.message_event.set()
            self.timer = self.loop.call_later(GRACE, self._late)
        else:
            self.transport.abort()

    def _refuse(self, error: SmallfirstError) -> None:
        """End the connection over what came last: told only where no answer is under way, which else is finished first."""
        body, self.phase = self.phase is Phase.BODY, Phase.DONE
        self._time()
        if body and self.pipeline:
            self.pipeline.popleft()  # this very request, which waits behind others and will never be whole
            self.deaf = True
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and (cycle.response_started or not body):
            cycle.keep_alive, self.deaf = False, True
            return
        if cycle is None or not (body and cycle.response_complete):
            self._tell(error)
        self.transport.close()

    def _tell(self, error: SmallfirstError) -> None:
        answer = errors.response(error, {"connection": "close"})
        head = [f"HTTP/1.1 {answer.status_code} \r\n".encode(), *(b"%b: %b\r\n" % header for header in answer.raw_headers), b"\r\n"]
        self.transport.write(b"".join(head) + bytes(answer.body))


class Joined:
    """A transport whose writes of one turn of the event loop are one: an answer's head and its body, and all that is ready of a stream.

    The HTTP server writes each apart, and each is a call of the kernel that wakes the client.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._waiting = transport, loop, list[bytes]()

    def write(self, data: bytes) -> None:
        """Soon."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """What was written is still sent."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """All else is the transport's."""
        return getattr(self._transport, name)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._transport.is_closing():
            self._transport.write(b"".join(waiting))


def _end_when_silent(transport: asyncio.Transport, seconds: float) -> None:
    """The kernel ends a connection whose other end is gone or takes nothing (RFC 5482): closing it would wait for that end for ever."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * seconds))


def _too_large(bounds: Bounds) -> HeadersTooLarge:
    return HeadersTooLarge(f"the request line and the headers are larger than {bounds.header_bytes} bytes")


@dataclass(frozen=True, slots=True)
class _Refusing:
    """An application that has one answer."""

    error: SmallfirstError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await errors.response(self.error)(scope, receive, send)
