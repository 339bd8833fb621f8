"""The client that leaves takes its work with it: no server does this by itself."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from router.errors import ClientGone

Receive = Callable[[], Awaitable[Any]]
"""ASGI's `receive`, after the body was read to its end."""

Send = Callable[[Any], Awaitable[None]]
"""ASGI's `send`, which waits while the client is slow to take what was sent before."""

Result = TypeVar("Result")


async def while_present(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result; when the client leaves first, the work is cancelled and done with before ClientGone is raised."""
    worker, watch, left = asyncio.current_task(), asyncio.ensure_future(_gone(receive)), False

    def leave(_watch: object) -> None:
        nonlocal left
        left = True
        if worker is not None:
            worker.cancel()

    watch.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if left and worker is not None and not worker.uncancel():
            raise ClientGone("the client closed the connection") from None
        raise
    finally:
        watch.remove_done_callback(leave)
        watch.cancel()


async def while_taken(send: Send, stall: float, work: Callable[[Send], Coroutine[Any, Any, None]]) -> None:
    """Work that sends; when one message is not taken within `stall` seconds, it is cancelled and done with before ClientGone is raised."""
    loop, since = asyncio.get_running_loop(), [math.inf]

    async def timed(message: Any) -> None:
        since[0] = loop.time()
        await send(message)
        since[0] = math.inf

    task = asyncio.ensure_future(work(timed))
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=stall / 2)
            if loop.time() - since[0] >= stall:
                raise ClientGone("the client takes nothing of its answer any more")
        task.result()
    finally:
        await _stop(task)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(task: asyncio.Future[Any]) -> None:
    """Cancel and wait, so that nothing runs on behind the request; an error that comes now is nobody's any more."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
