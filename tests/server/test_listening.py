"""Clients that connect at once are let in at once, not one in each turn of the event loop."""

import asyncio
import threading
from contextlib import ExitStack
from math import ceil
from socket import create_connection, socket

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.listening import AT_ONCE, Listening
from tests.serving import running

CLIENTS = 2 * AT_ONCE
REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


class Turns:
    """Notes in which turn of the event loop each request comes; the first one holds the loop up until `go`."""

    def __init__(self) -> None:
        self.now, self.seen = 0, list[int]()
        self.held, self.go = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self.held.is_set():
                self.seen.append(self.now)
            else:
                self.ticking = asyncio.ensure_future(self._tick())
                self.held.set()
                self.go.wait(30)
            await Response(b"ok")(scope, receive, send)

    async def _tick(self) -> None:
        while len(self.seen) < CLIENTS:
            self.now += 1
            await asyncio.sleep(0)


def turns_until_all_are_in(kind: type[uvicorn.Server]) -> int:
    app = Turns()
    server = kind(uvicorn.Config(app, port=0, loop="uvloop", lifespan="off", log_level="critical"))
    with running(server, server.run) as port, ExitStack() as held:
        clients: list[socket] = []
        for number in range(1 + CLIENTS):
            clients.append(held.enter_context(create_connection(("127.0.0.1", port))))
            clients[-1].sendall(REQUEST)
            assert number or app.held.wait(30)
        app.go.set()
        for client in clients:
            client.settimeout(30)
            assert client.recv(1024).startswith(b"HTTP/1.1 200")
    return max(app.seen) - min(app.seen)


def test_all_who_wait_are_let_in_within_few_turns() -> None:
    assert turns_until_all_are_in(Listening) <= 2 * ceil(CLIENTS / AT_ONCE)


def test_the_loop_itself_would_let_in_one_a_turn() -> None:
    """Were it not so any more, there would be no need of it."""
    assert turns_until_all_are_in(uvicorn.Server) >= CLIENTS - 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_listens_no_more_once_it_has_stopped(host: str) -> None:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(Request(scope).url.path)(scope, receive, send)

    server = Listening(uvicorn.Config(served, host=host, port=0, lifespan="off", log_level="critical"))
    with running(server, server.run) as port:
        assert [httpx.get(f"http://{host}:{port}/{turn}").text for turn in range(3)] == ["/0", "/1", "/2"]
    with pytest.raises(OSError, match="refused"):
        create_connection((host, port), 1)
