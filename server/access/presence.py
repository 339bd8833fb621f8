"""The client that leaves takes its work with it: no server does this by itself."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from router.errors import ClientGone

Receive = Callable[[], Awaitable[Any]]
"""ASGI's `receive`, after the body was read to its end."""

Send = Callable[[Any], Awaitable[None]]
"""ASGI's `send`, which waits while the client is slow to take what was sent before."""

LEAVING = "leaving"
"""Under this name of an exchange's state a server that can tell keeps its client's Leaving."""

Result = TypeVar("Result")


class Leaving(Protocol):
    """Calls whoever was added when the client leaves, or at once where it has left."""

    def add(self, leave: Callable[[], None]) -> None: ...

    def discard(self, leave: Callable[[], None]) -> None: ...


def leaving(scope: Mapping[str, Any], receive: Receive) -> Leaving:
    """The server's own word, or where it has none a task that waits for its message: that costs a request two turns of the event loop."""
    told: Leaving | None = scope["state"].get(LEAVING)
    return Waiting(receive) if told is None else told


class Told:
    """A client whose server says when it leaves."""

    def __init__(self) -> None:
        self._waiting: set[Callable[[], None]] | None = set()

    def add(self, leave: Callable[[], None]) -> None:
        """At once, where it has left."""
        if self._waiting is None:
            leave()
        else:
            self._waiting.add(leave)

    def discard(self, leave: Callable[[], None]) -> None:
        """Not any more."""
        if self._waiting is not None:
            self._waiting.discard(leave)

    def tell(self) -> None:
        """It leaves now."""
        told, self._waiting = self._waiting or (), None
        for leave in told:
            leave()


class Waiting:
    """Waits for the client to leave, for one who wants to know."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task: asyncio.Task[None] | None = None

    def add(self, leave: Callable[[], None]) -> None:
        """Begin to wait."""
        self._task = asyncio.get_running_loop().create_task(self._gone(leave))

    def discard(self, _leave: Callable[[], None]) -> None:
        """Wait no longer; nor hold on to what waited, whose end holds this in turn."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _gone(self, leave: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        leave()


async def while_present(client: Leaving, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result; when the client leaves first, the work is cancelled and done with before ClientGone is raised."""
    worker, left = asyncio.current_task(), False

    def leave() -> None:
        nonlocal left
        left = True
        if worker is not None:
            worker.cancel()

    client.add(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if left and worker is not None and not worker.uncancel():
            raise ClientGone("the client closed the connection") from None
        raise
    finally:
        client.discard(leave)


async def while_taken(send: Send, stall: float, work: Callable[[Send], Coroutine[Any, Any, None]]) -> None:
    """Work that sends; when one message is not taken within `stall` seconds, it is cancelled and done with before ClientGone is raised."""
    loop, client, since = asyncio.get_running_loop(), Told(), math.inf
    timer: asyncio.TimerHandle

    async def timed(message: Any) -> None:
        nonlocal since
        since = loop.time()
        await send(message)
        since = math.inf

    def look() -> None:
        nonlocal timer
        if loop.time() - since >= stall:
            client.tell()
        else:
            timer = loop.call_later(stall / 2, look)

    timer = loop.call_later(stall / 2, look)
    try:
        await while_present(client, work(timed))
    finally:
        timer.cancel()
