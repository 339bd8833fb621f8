"""Connections with bounds that the HTTP server lacks: how many, how long a client may take to send a request, how large its headers are.

A timer is set only where a request has not arrived with one piece, so that an ordinary one pays nothing for it.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Literal, cast
from urllib.parse import unquote

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router.errors import HeadersTooLarge, InvalidRequest, RequestTooSlow, SmallfirstError
from server.access.presence import LEAVING, Told
from server.api import errors
from server.api.exchange import LATE
from server.api.whole import WHOLE
from server.cycle import Cycle
from server.framing import Header, Trailers, doubt, expects, telling
from server.joined import Joined


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


_ASGI = {"version": "3.0", "spec_version": "2.3"}
_EXTENSIONS: dict[str, dict[str, object]] = {WHOLE: {}}


Phase = Literal["headers", "body", "done"]
"""Where a connection's newest request stands."""

NO_HTTP = "Invalid HTTP request received."
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
        self.phase: Phase = "headers"
        self.seen = 0
        """Bytes that came since the last that were of a body, or the end of a head."""
        self.timed: Phase | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.idle_since = 0.0
        self.leaving = Told()
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
        self.phase = "done"
        self._time()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.leaving.tell()

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self.seen += len(data)
        while data:
            data = self._parsed(data)
        if self.seen > self.bounds.header_bytes and self.phase != "done":
            self._refuse(_too_large(self.bounds))
        elif self.phase != self.timed:
            self._time()

    def on_message_begin(self) -> None:
        self.phase = "headers"
        self.url, self.headers = b"", []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self._should_upgrade():  # the same head comes again without the offer
            return
        found, version = telling(self.headers), self.parser.get_http_version()
        refusal = self._refusal(found, version)
        app: Any = self.app if refusal is None else _Refusing(refusal)
        before, self.cycle = self.cycle, self._cycle(found, version, last=self.parting or refusal is not None)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))
        self.phase, self.seen = "body", 0
        if len(found) > 1:  # a body in chunks, and its parser takes what may follow it for headers
            self.headers = Trailers()

    def on_body(self, body: bytes) -> None:
        self.seen = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.phase = "done"
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server leaves. An answer that has not begun says so; who cannot be told any more has time to ask again, and hears it then."""
        self.parting = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(GRACE, self._leave)
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        last = not self.pipeline
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if last:
                self._idle()
            else:
                self._start_asgi_task(*self.pipeline.pop())
        if self.deaf and last:
            self.transport.close()
        if self.parting:
            self.loop.call_later(GRACE, self._leave)

    def _idle(self) -> None:
        """One timer for all the times that a connection idles: it is set again where it rings too early."""
        self.idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self.phase != "done" or not self.cycle.response_complete:
            return
        left = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            self.transport.close()

    def _leave(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _parsed(self, data: bytes) -> bytes:
        """What of it is to be parsed once more: behind an offer of another protocol, of any one, the parser stops."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            return self._declined() + data[offer.args[0] :] if self._should_upgrade() else b""
        except httptools.HttpParserError:  # told in the shape of every other error, and never within an answer
            self.logger.warning(NO_HTTP)
            self._refuse(InvalidRequest(NO_HTTP))
        return b""

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

    def _cycle(self, found: Sequence[Header], version: str, *, last: bool) -> Cycle:
        """The exchange that this head begins, the `last` one of its connection or not."""
        self.scope = cast("HTTPScope", self._scope(version))
        return Cycle(self, expects(found), version != "1.0" and not last and self.parser.should_keep_alive())

    def _scope(self, version: str) -> Scope:
        path, raw, query = _located(self.url)
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": self.parser.get_method().decode("ascii"),
            "root_path": "",
            "path": path,
            "raw_path": raw,
            "query_string": query,
            "headers": self.headers,
            "state": {**self.app_state, LEAVING: self.leaving},
            "extensions": _EXTENSIONS,
        }

    def _refusal(self, found: Sequence[Header], version: str) -> SmallfirstError | None:
        if self._size() > self.bounds.header_bytes:
            return _too_large(self.bounds)
        doubtful = doubt(found, version)
        return None if doubtful is None else InvalidRequest(doubtful)

    def _size(self) -> int:
        return len(self.url) + 4 * len(self.headers) + len(b"".join(chain.from_iterable(self.headers)))

    def _time(self) -> None:
        """One timer for the phase that the request is in."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.timed = self.phase
        if self.phase != "done":
            headers = self.phase == "headers"
            self.timer = self.loop.call_later(self.bounds.header_seconds if headers else self.bounds.body_seconds, self._late)

    def _late(self) -> None:
        """Who said nothing yet is told nothing; in the middle of an answer there is nothing to be told either.

        Of a body that takes too long the application is told, which may be about to answer something else.
        """
        if self.phase == "headers" and self.seen:
            self._refuse(RequestTooSlow(f"the headers took longer than {self.bounds.header_seconds:g} s"))
        elif self.phase == "body" and LATE not in self.scope["state"]:
            self.scope["state"][LATE] = f"the body took longer than {self.bounds.body_seconds:g} s"
            self.cycle.message_event.set()
            self.timer = self.loop.call_later(GRACE, self._late)
        else:
            self.transport.abort()

    def _refuse(self, error: SmallfirstError) -> None:
        """End the connection over what came last: told only where no answer is under way, which else is finished first."""
        body, self.phase = self.phase == "body", "done"
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


def _end_when_silent(transport: asyncio.Transport, seconds: float) -> None:
    """The kernel ends a connection whose other end is gone or takes nothing (RFC 5482): closing it would wait for that end for ever."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * seconds))


@lru_cache(maxsize=64)
def _located(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, the same as it was sent, and query; raises HttpParserInvalidURLError."""
    parsed = httptools.parse_url(url)
    return unquote(parsed.path.decode("ascii")), parsed.path, parsed.query or b""


def _too_large(bounds: Bounds) -> HeadersTooLarge:
    return HeadersTooLarge(f"the request line and the headers are larger than {bounds.header_bytes} bytes")


@dataclass(frozen=True, slots=True)
class _Refusing:
    """An application that has one answer."""

    error: SmallfirstError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await errors.response(self.error)(scope, receive, send)
