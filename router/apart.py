"""Other people's functions in threads of their own: one that never comes back takes neither the gateway's threads nor its end with it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

MOST = 16
IDLE = 10.0
"""Seconds that a thread waits for more to do."""
Result = TypeVar("Result")


class Threads:
    """At most `most` of them, made as they are needed; who finds none free waits, and who waits no longer leaves nothing behind.

    They are daemons: a process that ends does not wait for them, as it would for those of an executor.
    """

    def __init__(self, most: int = MOST, idle: float = IDLE) -> None:
        self._most, self._seconds = most, idle
        self._changed = threading.Condition()
        self._waiting: dict[Future[Any], Callable[[], object]] = {}
        self._running = self._idle = 0

    async def run(self, function: Callable[..., Result], *given: object) -> Result:
        """What the function gives or raises; where the wait is cancelled and the function has begun, it goes on for nobody."""
        future: Future[Result] = Future()
        with self._changed:
            self._waiting[future] = partial(copy_context().run, function, *given)
            if self._idle >= len(self._waiting):
                self._changed.notify()
            elif self._running < self._most:
                self._running += 1
                threading.Thread(target=self._work, name="smallfirst-apart", daemon=True).start()
        try:
            return await asyncio.wrap_future(future)
        finally:
            with self._changed:
                self._waiting.pop(future, None)

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            future, work = taken
            if future.set_running_or_notify_cancel():
                _settle(future, work)
            del taken, future, work  # a thread that waits holds nothing of the request that it served

    def _next(self) -> tuple[Future[Any], Callable[[], object]] | None:
        with self._changed:
            while not self._waiting:
                self._idle += 1
                told = self._changed.wait(self._seconds)
                self._idle -= 1
                if not told and not self._waiting:
                    self._running -= 1
                    return None
            future = next(iter(self._waiting))
            return future, self._waiting.pop(future)


def _settle(future: Future[Any], work: Callable[[], object]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001  # whoever waits gets whatever it was, as from any executor
        future.set_exception(error)
