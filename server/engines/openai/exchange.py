"""An HTTP exchange: a status, a few headers and bytes as they come, within a time and a size."""

import asyncio
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import time
from typing import Protocol

from router.types.records import record
from server.engines.openai.connection import Connection, Interrupted


class Exchange(Protocol):
    """An answer under way; `retry_after` is in seconds. `close` ends it at once, upstream too, where it is not at its end."""

    @property
    def status(self) -> int: ...

    @property
    def content_type(self) -> str: ...

    @property
    def retry_after(self) -> float | None: ...

    async def more(self) -> bytes:
        """What came of the body since; b"" at its end."""
        ...

    async def body(self, limit: int | None = None) -> bytes: ...

    async def finish(self, seconds: float) -> None: ...

    def close(self) -> None: ...


@record(slots=True)
class PooledExchange:
    """An exchange over a connection of a pool, its answer bounded by `limit` bytes; `release` takes the connection back."""

    connection: Connection
    deadline: float
    silence: float | None
    limit: int
    release: Callable[[Connection], None]
    status: int = 0
    _timer: asyncio.TimerHandle | None = None
    _closed: bool = False

    def begin(self, request: bytes) -> None:
        """Send it, and watch the time."""
        self.connection.begin(request)
        self._watch()

    @property
    def content_type(self) -> str:
        return _media(self.connection.headers.get(b"content-type", b""))

    @property
    def retry_after(self) -> float | None:
        return _seconds(self.connection.headers.get(b"retry-after", b"").decode("latin-1"))

    async def body(self, limit: int | None = None) -> bytes:
        """The whole body, or its first `limit` bytes where that is enough."""
        found = [await self.more()]
        while not self.connection.complete and (limit is None or sum(map(len, found)) < limit):
            found.append(await self.more())
        return b"".join(found)[:limit]

    async def finish(self, seconds: float) -> None:
        """Wait a moment for the end of an answer that is complete, so that its connection can serve again."""
        if self.connection.complete:
            return
        try:
            async with asyncio.timeout(seconds):
                while await self.more():
                    pass
        except (TimeoutError, Interrupted):
            self.connection.close()

    def close(self) -> None:
        """The connection goes back to the pool where the answer is complete, and is closed where it is not."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if not self.connection.complete:
            self.connection.close()
        self.release(self.connection)

    async def more(self) -> bytes:
        """What came of the body since; b"" at its end. Raises Interrupted."""
        connection = self.connection
        if connection.headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            raise Interrupted("compressed")  # which nobody asked for
        while not connection.waiting:
            if connection.complete:
                return b""
            await connection.change()
        if connection.received > self.limit:
            raise Interrupted("too_long")
        return connection.take()

    def _watch(self) -> None:
        """One timer for all waits: it looks again at what came meanwhile."""
        now, until = self.connection.loop.time(), self.deadline
        if self.silence is not None:
            until = min(until, (self.connection.since if self.connection.waits else now) + self.silence)
        if until > now:
            self._timer = self.connection.loop.call_at(until, self._watch)
        else:
            self.connection.fail("total_timeout" if until == self.deadline else "read_timeout")


@lru_cache(maxsize=64)
def _media(value: bytes) -> str:
    """The type that a Content-Type names, without its parameters."""
    return value.decode("latin-1").partition(";")[0].strip().lower()


def _seconds(value: str) -> float | None:
    """Retry-After in either form, as seconds from now."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError):
        return None
