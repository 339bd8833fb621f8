"""The HTTP client behind a small port: a pool of connections for one engine.

Written out over asyncio and llhttp for two reasons. aiohttp (3.14) gives an answer that nobody asked for, sent on a kept connection after
the last one, to the next request, which is somebody else's; here it ends the connection. And an HTTP library costs more than most of what
the gateway does around it: in a loop that does nothing else an exchange took 150 to 240 µs of CPU with aiohttp, 30 to 60 with this. No
proxy and no credentials from the environment, no redirects, no cookies, no compression.

A server may close a kept connection just as a request is on its way. Such a request is taken for one that nobody worked on, which RFC 9110
(9.2.2) lets a client send again: once, at once, on a new connection, and nothing of it counts against the server. The signs are that the
connection had served before, that it ended within a second of the request, and that no byte of an answer came. Anything else, and whatever
becomes of the second request, is the caller's to judge.
"""

import asyncio
import ssl
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from server.engines.openai.connection import Connection, Interrupted
from server.engines.openai.exchange import Exchange, PooledExchange
from server.engines.openai.names import Names
from server.engines.openai.options import Timeouts
from server.engines.openai.places import Places

KEPT = 30.0
"""Seconds after which a connection that nobody needs is closed."""
OLD = 300.0
"""Seconds after which a connection serves no other call, so that a host that has moved is found while its old address still answers."""

Begun = Coroutine[object, object, Exchange]
"""An exchange, there as soon as its answer has begun."""


class Client(Protocol):
    """Sends requests; raises Interrupted. `deadline` is the event loop's time at which the whole exchange must be over."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, deadline: float, streamed: bool) -> Begun: ...

    def get(self, url: str, headers: Mapping[str, str], *, deadline: float) -> Begun: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class PooledClient:
    """Connections for one engine, opened when they are needed and kept for the next call."""

    timeouts: Timeouts
    max_connections: int
    max_response_bytes: int
    _places: Places = field(init=False, repr=False)
    _idle: dict[str, list[Connection]] = field(default_factory=dict, repr=False)
    _names: Names = field(default_factory=Names, repr=False)
    _context: ssl.SSLContext | None = field(default=None, repr=False)
    _sweeping: asyncio.TimerHandle | None = field(default=None, repr=False)
    _over: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self._places = Places(self.max_connections)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, deadline: float, streamed: bool) -> Begun:
        """Send a JSON body; the exchange is there as soon as the answer's headers are."""
        silence = self.timeouts.read if streamed else None
        return self._exchange(url, _head("POST", url, headers, f"content-length: {len(body)}") + body, deadline, silence)

    def get(self, url: str, headers: Mapping[str, str], *, deadline: float) -> Begun:
        """Fetch a page."""
        return self._exchange(url, _head("GET", url, headers), deadline, None)

    async def close(self) -> None:
        """Close every connection that is kept; those in use end with their exchanges."""
        self._over = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for origin in tuple(self._idle):
            self._drop(origin)
        self._names.close()
        await asyncio.sleep(0)  # until what was closed is gone

    async def _exchange(self, url: str, request: bytes, deadline: float, silence: float | None) -> PooledExchange:
        origin, anew = _origin(url), False
        while True:
            if self._places.free:
                self._places.free -= 1
            else:
                await self._turn(deadline)
            kept = None if anew else self._kept(origin)
            connection = kept or await self._connected(origin, deadline)
            exchange = PooledExchange(connection, deadline, silence, self.max_response_bytes, self._released)
            try:
                exchange.begin(request)
                while not connection.begun:
                    await connection.change()
            except BaseException as error:
                exchange.close()
                if kept is None or not isinstance(error, Interrupted) or not kept.stale:
                    raise
                self._drop(origin)
                anew = True
            else:
                exchange.status = connection.status
                return exchange

    async def _turn(self, deadline: float) -> None:
        """Wait until there may be one more connection in use; raises Interrupted."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.turn()
        except TimeoutError:
            raise Interrupted("total_timeout") from None

    def _kept(self, origin: str) -> Connection | None:
        """One that served before, and that nobody uses."""
        kept = self._idle.get(origin)
        while kept:
            connection = kept.pop()
            if connection.reusable and connection.loop.time() - connection.since < KEPT:  # what others close in time is not met closing
                return connection
            connection.close()
        return None

    def _drop(self, origin: str) -> None:
        """Close what is kept: where one was closing, so are most likely those that have been idle for longer."""
        for connection in self._idle.pop(origin, []):
            connection.close()

    async def _connected(self, origin: str, deadline: float) -> Connection:
        """A new one, or its place is free again; raises Interrupted."""
        try:
            return await self._opened(origin, deadline)
        except BaseException:
            self._places.leave()
            raise

    async def _opened(self, origin: str, deadline: float) -> Connection:
        loop, parts = asyncio.get_running_loop(), urlsplit(origin)
        if parts.scheme == "https" and self._context is None:
            self._context = ssl.create_default_context()
        context = self._context if parts.scheme == "https" else None
        until = loop.time() + self.timeouts.connect
        try:
            async with asyncio.timeout_at(min(until, deadline)):
                host, port = parts.hostname or "", parts.port or (80 if context is None else 443)
                name = None if context is None else host
                connection = await _reached(await self._names.addresses(host, port), port, context, name, min(until, deadline))
                connection.origin = origin
                return connection
        except TimeoutError:
            raise Interrupted("connect_timeout" if until < deadline else "total_timeout") from None
        except ssl.SSLCertVerificationError:
            raise Interrupted("certificate") from None
        except (OSError, UnicodeError):  # a name that none can have is found by no server either
            raise Interrupted("connect") from None

    def _released(self, connection: Connection) -> None:
        self._places.leave()
        now = connection.loop.time()
        if connection.reusable and not self._over and now - connection.made < OLD:
            if connection.waiting:
                connection.take()  # what nobody read, for which the server may be held back
            connection.since, connection.kept = now, True
            self._idle.setdefault(connection.origin, []).append(connection)
            if self._sweeping is None:
                self._sweeping = connection.loop.call_later(KEPT, self._sweep, connection.loop)
        else:
            connection.close()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what nobody needed for a while."""
        for origin, kept in self._idle.items():
            old = [one for one in kept if one.since <= loop.time() - KEPT]
            for connection in old:
                connection.close()
            self._idle[origin] = [one for one in kept if one.reusable]
        self._sweeping = loop.call_later(KEPT, self._sweep, loop) if any(self._idle.values()) else None


async def _reached(addresses: list[str], port: int, context: ssl.SSLContext | None, name: str | None, until: float) -> Connection:
    """The first address that answers: none but the last takes more than its share of the time, for some never say no."""
    loop = asyncio.get_running_loop()
    *others, last = addresses
    for left, address in zip(range(len(addresses), 1, -1), others, strict=True):
        with suppress(OSError):
            async with asyncio.timeout((until - loop.time()) / left):
                return (await loop.create_connection(Connection, address, port, ssl=context, server_hostname=name))[1]
    return (await loop.create_connection(Connection, last, port, ssl=context, server_hostname=name))[1]


@lru_cache(maxsize=1024)
def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@lru_cache(maxsize=1024)
def _line(method: str, url: str) -> str:
    """What every request to this address begins with."""
    parts, kind = urlsplit(url), "\r\ncontent-type: application/json" if method == "POST" else ""
    line = f"{method} {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
    return f"{line}accept-encoding: identity\r\nuser-agent: smallfirst{kind}"


def _head(method: str, url: str, headers: Mapping[str, str], *size: str) -> bytes:
    """`size` is the header that tells a body's; raises ValueError for a value that would begin another line."""
    values = "".join(headers.values())
    if "\n" in values or "\r" in values or "\0" in values:
        raise ValueError("a header of more than one line")
    return "\r\n".join([_line(method, url), *size, *map(": ".join, headers.items()), "", ""]).encode()
