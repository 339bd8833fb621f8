"""A hedge: what takes long gets a rival, the first good result wins, and the other is stopped."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

Result = TypeVar("Result")
Work = Callable[[], Coroutine[Any, Any, Result]]


async def race(first: Work[Result], rival: Work[Result], after: float, good: Callable[[Result], bool]) -> tuple[Result | None, ...]:
    """The results in order, `None` for what was stopped; the first's alone if it took no longer than `after` seconds.

    Nothing is left running, whatever happens: not by a failure, and not when the caller itself is cancelled.
    """
    tasks = [asyncio.create_task(first())]
    try:
        await asyncio.wait(tasks, timeout=after)
        if not tasks[0].done():
            tasks.append(asyncio.create_task(rival()))
            await _decided(tasks, good)
    finally:
        await _stop(tasks)
    return tuple(None if task.cancelled() else task.result() for task in tasks)


async def _decided(tasks: Sequence[asyncio.Task[Result]], good: Callable[[Result], bool]) -> None:
    """Wait until one result is good, or there is none left to wait for; a failure ends it too."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if any(good(task.result()) for task in done):
            return


async def _stop(tasks: Sequence[asyncio.Task[Result]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
