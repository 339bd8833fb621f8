"""Connections with bounds that the HTTP server lacks: how many, how long a client may take to send a request, how large its headers are.

A timer is set only where a request has not arrived with one piece, so that an ordinary one pays nothing for it.
"""

import asyncio
import socket
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Literal, cast
from urllib.parse import unquote

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router.errors import HeadersTooLarge, InvalidRequest, RequestTooSlow, SmallfirstError
from server.access.presence import LEAVING, Told
from server.api import errors
from server.api.exchange import LATE
from server.api.whole import WHOLE
from server.cycle import Cycle
from server.framing import TELLING, Trailers, framed
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


_SCOPE = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "root_path": "", "extensions": {WHOLE: {}}}
"""What every request's scope has."""

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

    scope: Any
    transport: Any

    def __init__(self, bounds: Bounds, /, **given: Any) -> None:
        super().__init__(**given)
        self.bounds = bounds
        self.phase: Phase = "headers"
        self.seen = 0
        """Bytes that came since the last that were of a body, or the end of a head."""
        self.behind = False
        """Whether the newest head began behind these, so that it may be larger than what was seen."""
        self.timed: Phase | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.idle_since = 0.0
        self.leaving = Told()
        self.parting = False
        self.deaf = False
        """Whether what comes is dropped: the connection ends with the answers that are under way."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.every = {**_SCOPE, "server": self.server, "client": self.client, "scheme": self.scheme}
        if len(self.connections) > self.bounds.connections:
            transport.abort()
        else:
            _end_when_silent(transport, self.bounds.stall)
            self.transport = Joined(transport, self.loop)
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
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as offer:
                data = self._declined(data[offer.args[0] :])
            except httptools.HttpParserError:  # told in the shape of every other error, and never within an answer
                self.logger.warning(NO_HTTP)
                self._refuse(InvalidRequest(NO_HTTP))
                break
        if self.seen > self.bounds.header_bytes and self.phase != "done":
            self._refuse(_too_large(self.bounds))
        elif self.phase != self.timed:
            self._time()

    def on_message_begin(self) -> None:
        self.phase, self.behind = "headers", not self.seen
        self.url, self.headers = b"", []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self._should_upgrade():  # the same head comes again without the offer
            return
        version = self.parser.get_http_version()
        framing = framed(tuple([header for header in self.headers if header[0] in TELLING]), version)
        refusal = self._refusal(framing.doubt) if framing.doubt or self.behind or self.seen > self.bounds.header_bytes else None
        app: Any = self.app if refusal is None else _Refusing(refusal)
        self.scope = {
            **self.every,
            **_asked(self.parser.get_method(), self.url, version),
            "headers": self.headers,
            "state": {**self.app_state, LEAVING: self.leaving},
        }
        last = version == "1.0" or self.parting or refusal is not None
        before, self.cycle = self.cycle, Cycle(self, framing.expects, not last and self.parser.should_keep_alive())
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))
        self.phase, self.seen = "body", 0
        if framing.chunked:  # its parser takes what may follow such a body for headers
            self.headers = Trailers()

    def on_body(self, body: bytes) -> None:
        self.seen = 0
        if not self.cycle.response_complete:
            self.cycle.body += body
            if len(self.cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        self.phase = "done"
        if not (self.parser.should_upgrade() and self._should_upgrade()) and not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

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
            if self.flow.read_paused:
                self.flow.resume_reading()
            if not last:
                self._start_asgi_task(*self.pipeline.pop())
            else:  # one timer for all the times that it idles: it is set again where it rings too early
                self.idle_since = self.loop.time()
                if self.timeout_keep_alive_task is None:
                    self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if self.deaf and last:
            self.transport.close()
        if self.parting:
            self.loop.call_later(GRACE, self._leave)

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

    def _should_upgrade(self) -> bool:
        return any(name == b"upgrade" for name, _ in self.headers)

    def _declined(self, rest: bytes) -> bytes:
        """What of it is to be parsed once more: behind an offer of another protocol the parser stops, and drops the body.

        The head of the request comes again without the offer, which may be ignored (RFC 9110, 7.8). Java's own client offers HTTP/2 so
        with every request to a plain address.
        """
        if not self._should_upgrade():
            return b""
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        told = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        return b"".join((line, *told, b"\r\n", rest))

    def _refusal(self, doubt: str | None) -> SmallfirstError | None:
        if len(self.url) + 4 * len(self.headers) + len(b"".join(chain.from_iterable(self.headers))) > self.bounds.header_bytes:
            return _too_large(self.bounds)
        return None if doubt is None else InvalidRequest(doubt)

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
def _asked(method: bytes, url: bytes, version: str) -> Scope:
    """What the scope has of a request's line, its path also as it was sent; raises HttpParserInvalidURLError."""
    parsed = httptools.parse_url(url)
    return {
        "http_version": version,
        "method": method.decode("ascii"),
        "path": unquote(parsed.path.decode("ascii")),
        "raw_path": parsed.path,
        "query_string": parsed.query or b"",
    }


def _too_large(bounds: Bounds) -> HeadersTooLarge:
    return HeadersTooLarge(f"the request line and the headers are larger than {bounds.header_bytes} bytes")


@dataclass(frozen=True, slots=True)
class _Refusing:
    """An application that has one answer."""

    error: SmallfirstError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await errors.response(self.error)(scope, receive, send)
