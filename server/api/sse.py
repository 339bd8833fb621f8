"""Server-sent events: a response that is opened only after the commit, and whose work ends with its client."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractContextManager, aclosing
from typing import TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from router.errors import ClientGone
from server.access.presence import Leaving, leaving, while_present, while_taken
from server.api.render import encoded

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
Event = TypeVar("Event")
Header = tuple[bytes, bytes]


def event(payload: object) -> bytes:
    """One event with a JSON payload."""
    return b"data: " + encoded(payload) + b"\n\n"


async def first_of(events: AsyncGenerator[Event, None], client: Leaving, patience: float | None) -> Event | asyncio.Task[Event]:
    """The first event, or the task that waits for it once `patience` (seconds) is over; raises ClientGone, the work being done with."""
    if patience is None:
        return await while_present(client, _next(events))
    pending = asyncio.create_task(_next(events))
    try:
        await while_present(client, _waited(pending, patience))
    except BaseException:
        await _stopped(pending)
        await events.aclose()
        raise
    return pending.result() if pending.done() else pending


async def silence(pending: asyncio.Task[Event], seconds: float) -> AsyncGenerator[bytes, None]:
    """A comment now and whenever that many more seconds passed without the event; closed early, it stops the wait and its work."""
    try:
        while not pending.done():
            yield KEEP_ALIVE
            await _waited(pending, seconds)
    finally:
        await _stopped(pending)


async def _next(events: AsyncGenerator[Event, None]) -> Event:
    return await anext(events)


async def _waited(pending: asyncio.Task[Event], seconds: float) -> None:
    await asyncio.wait({pending}, timeout=seconds)


async def _stopped(pending: asyncio.Task[Event]) -> None:
    if not pending.done():
        pending.cancel()
        await asyncio.wait({pending})


class EventStream(Response):
    """Sends what `events` yields; `held` (a place in the queue, say) is given back when the stream ends, however it ends.

    A client that takes nothing for `stall` seconds, though there is something to take, is gone.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        held: AbstractContextManager[object],
        headers: Iterable[tuple[bytes, bytes]],
        stall: float,
    ) -> None:
        self.status_code = 200
        self.background = None
        self._events, self._held, self._stall = events, held, stall
        self.raw_headers = [*headers, *_HEADERS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until the client leaves: then everything behind it is closed first."""
        with self._held:
            try:
                await while_present(leaving(scope, receive), while_taken(send, self._stall, self._send))
            except ClientGone:
                return

    async def _send(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for block in events:
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
