"""Leaving without dropping anyone: told to stop, the server first says that it is not ready, and closes only some seconds later.

Balancers that ask `/readyz` need that time to send new requests elsewhere; whoever comes meanwhile is served, on a connection that
ends with the answer, so that no client is about to reuse one when it closes.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from types import FrameType

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOT_READY = 503

Handler = Callable[[int, FrameType | None], object]


class Draining:
    """An application that has `delay` seconds between SIGTERM and the server's own handling of it; a second SIGTERM ends them."""

    def __init__(self, app: ASGIApp, delay: float) -> None:
        self._app, self._delay, self._began = app, delay, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as ever until told to stop. It stands outermost, and servers that have to guess take nothing but coroutine functions."""
        if scope["type"] == "lifespan" and self._delay:
            self._take_over(asyncio.get_running_loop())
        if not self._began or scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/readyz":
            leaving = Response(b'{"status":"stopping"}', NOT_READY, {"connection": "close"}, "application/json")
            await leaving(scope, receive, send)
        else:
            await self._app(scope, receive, _last(send))

    def _take_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server has set its handler before the application's life begins."""
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop):
            return

        def begin(number: int, frame: FrameType | None) -> None:
            if self._began:
                stop(number, frame)
                return
            self._began = True
            loop.call_soon_threadsafe(loop.call_later, self._delay, stop, number, None)

        signal.signal(signal.SIGTERM, begin)


def leave_when_told() -> None:
    """Until the server handles SIGTERM itself: the first process of a container is not ended by it otherwise."""
    signal.signal(signal.SIGTERM, _leave)


def leave_on_hangup() -> None:
    """One process alone cannot be replaced while it serves: it leaves as on SIGTERM, unless whoever started it had SIGHUP ignored."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _last(send: Send) -> Send:
    def closing(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["connection"] = "close"
        return send(message)

    return closing
