"""A second application on an address of its own, served as long as the first one lives, in the same process and event loop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from router.errors import ConfigError
from server.config import Internal
from server.connections import Bounds, bounded


class Beside:
    """The first application; while it lives the `other` is served on a socket that listens already."""

    def __init__(self, app: ASGIApp, other: ASGIApp, listening: socket.socket) -> None:
        self._app, self._socket = app, listening
        self._server = _Quiet(
            uvicorn.Config(
                other,
                http=bounded(Bounds()),
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The first application's work; the other one is begun and ended with its life."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        try:
            await self._app(scope, receive, send)
        finally:
            self._server.should_exit = True
            await task


class _Quiet(uvicorn.Server):
    """Signals are the first server's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(to: Internal, *, shared: bool) -> socket.socket:
    """A socket that listens there, `shared` with other workers' own; raises ConfigError."""
    family = socket.AF_INET6 if ":" in to.host else socket.AF_INET
    try:
        return socket.create_server((to.host, to.port), family=family, reuse_port=shared)
    except OSError as error:
        raise ConfigError(f"listen.internal: {to.host} port {to.port}: {error.strerror}", param="listen.internal") from error
