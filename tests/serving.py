"""A real server on a real port for real clients, in a thread of the test's own process."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

PATIENCE = 60.0


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The base URL, without /v1; the server is drained and gone afterwards."""
    with running(uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(server: uvicorn.Server, run: Callable[[], None] | None = None) -> Iterator[int]:
    """Its port; `run` runs it otherwise than on asyncio's own loop."""
    thread = threading.Thread(target=run or (lambda: asyncio.run(server.serve())), daemon=True)
    thread.start()
    end = time.monotonic() + PATIENCE
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.02)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
