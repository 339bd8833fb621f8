"""One HTTP/1.1 connection to a server: llhttp reads what comes, one answer at a time is collected for whoever waits for it."""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from server.engines.openai.retry import Trouble

MOST_HEAD = 64 * 1024
"""Bytes of an answer's status line and headers, and of whatever else comes without a byte of the body."""
MOST_WAITING = 256 * 1024
"""Bytes that may wait for a slow reader before no more are taken from the server."""
FINAL = 200
STALE = 1.0
"""Seconds within which a kept connection ends that was closing when it was used again."""


class Interrupted(Exception):
    """An exchange that did not come to its end; `trouble` says how. It never leaves the engine."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class Connection(asyncio.Protocol):
    """`begin` starts an exchange; what is known of its answer stands in the fields, and `change` returns when there may be more.

    `trouble` says why there will be no more. An answer that is `complete` leaves the connection to the next one where it is `reusable`;
    `complete` holds as well before the first exchange.
    """

    def __init__(self) -> None:
        self.origin = ""
        """Where it leads to."""
        self.loop = asyncio.get_running_loop()
        self.made = self.loop.time()
        self.since = 0.0
        """When the wait began that is under way, or the time without work."""
        self.trouble: Trouble | None = None
        self.status = self.received = self._head = 0
        self.headers: dict[bytes, bytes] = {}
        """By their names in small letters; of several of one name the first."""
        self.waiting = bytearray()
        """What came of the body and was not taken."""
        self.begun = self.reusable = self.kept = self._paused = False
        self.complete = True
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._told: dict[bytes, bytes] = {}
        self.on_header: Callable[[bytes, bytes], object] = self._told.setdefault  # of C, as the parser is: there are many headers
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def begin(self, request: bytes) -> None:
        """Send a whole request."""
        self.since, self.trouble = self.loop.time(), None
        self.status = self.received = self._head = 0
        self.begun = self.complete = self.reusable = False
        if self._transport is None:
            self.fail("reset")
        else:
            self._transport.write(request)

    def change(self) -> asyncio.Future[None]:
        """Done as soon as something came, or will never come; raises Interrupted where that is known."""
        if self.trouble is not None:
            raise Interrupted(self.trouble)
        self._waiter, self.since = self.loop.create_future(), self.loop.time()
        return self._waiter

    def take(self) -> bytes:
        """What came of the body since."""
        if self._paused and self._transport is not None:
            self._transport.resume_reading()
            self._paused = False
        found, self.waiting = bytes(self.waiting), bytearray()
        return found

    def fail(self, trouble: Trouble) -> None:
        """Nothing more will come; the connection is of no use any longer."""
        if self.trouble is None and not self.complete:
            self.trouble = trouble
        self.close()
        self._wake()

    def close(self) -> None:
        """End it at once."""
        self.reusable, self._parser = False, None  # which holds the connection in turn
        if self._transport is not None:
            self._transport.abort()

    @property
    def stale(self) -> bool:
        """Whether the server had closed this connection before the request reached it.

        Its end then comes at once, without a byte of an answer, and on a connection that served before; one that ends later ended at work.
        """
        unheard = self.trouble == "reset" and not (self._head or self.received)
        return self.kept and unheard and self.loop.time() - self.since < STALE

    @property
    def waits(self) -> bool:
        """Whether somebody waits for more of the answer."""
        return self._waiter is not None and not self._waiter.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.complete or self._parser is None:
            return self.close()  # nobody asked for this
        self._head += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fail("protocol")
        if self._head > MOST_HEAD:
            self.fail("protocol")
        self._wake()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.begun and exc is None and not ({b"content-length", b"transfer-encoding"} & self.headers.keys()):
            self.complete = self.complete or self.trouble is None  # such a body ends with its connection (RFC 9112, 6.3)
        self.fail("reset")

    def on_message_begin(self) -> None:
        self._told.clear()
        if self.complete:
            self.close()  # an answer too many

    def on_headers_complete(self) -> None:
        if self._parser is not None and (status := self._parser.get_status_code()) >= FINAL:  # or it is a word on the way (RFC 9110, 15.2)
            self.status, self.begun = status, True
            self.headers = dict(zip(map(bytes.lower, reversed(self._told)), reversed(self._told.values()), strict=True))

    def on_body(self, data: bytes) -> None:
        if self.complete:
            return
        self._head = 0
        self.received += len(data)
        self.waiting += data
        if len(self.waiting) > MOST_WAITING and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True

    def on_message_complete(self) -> None:
        if self.begun and self._parser is not None:
            sent = self._transport is not None and not self._transport.get_write_buffer_size()  # else the rest may never be read
            self.complete, self.reusable = True, sent and self._parser.should_keep_alive()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
