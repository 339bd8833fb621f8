"""An answer that is known whole leaves a real server in one piece, and what holds for answers in pieces holds for it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import create_connection, socket
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp

from server.api.whole import Whole
from server.serving import options
from tests.server.harness import settings
from tests.server.test_connections import whole
from tests.serving import running

BODY = b'{"n": 1}'
ASK = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
LAST = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def saying(*headers: tuple[bytes, bytes], times: int = 1) -> ASGIApp:
    """An application with one whole answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(times):
            await Whole(BODY, headers)(scope, receive, send)

    return app


@contextmanager
def connected(app: ASGIApp, **changes: Any) -> Iterator[socket]:
    """A connection to a server with the command's own options."""
    given = {**options(settings(), Path()), "port": 0, "log_level": "critical", "lifespan": "off", **changes}
    with running(uvicorn.Server(uvicorn.Config(app, **given))) as port, closing(create_connection(("127.0.0.1", port))) as connection:
        yield connection


def head(connection: socket) -> bytes:
    """Of the next answer, whose body is read too."""
    connection.settimeout(20)
    found = b""
    while not found.endswith(BODY):
        piece = connection.recv(1)
        assert piece, found
        found += piece
    return found.removesuffix(BODY)


async def in_messages(app: ASGIApp, scope: dict[str, Any]) -> list[Any]:
    """What another server gets to send."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, None, send)  # type: ignore[arg-type]
    return sent


def test_it_is_written_as_http_has_it_and_the_connection_goes_on() -> None:
    with connected(saying((b"x-tier", b"small"))) as connection:
        connection.sendall(ASK)
        lines = head(connection).split(b"\r\n")
        assert (lines[0], lines[-2:]) == (b"HTTP/1.1 200 OK", [b"", b""])
        assert {b"x-tier: small", b"content-length: 8", b"content-type: application/json"} <= set(lines)
        assert sum(line.startswith(b"date: ") for line in lines) == 1
        assert b"connection: close" not in lines
        connection.sendall(ASK + ASK + LAST)
        assert b"connection: close" not in head(connection) + head(connection)
        assert whole(connection).count(b"connection: close\r\n") == 1


@pytest.mark.parametrize("asked", [LAST, b"POST / HTTP/1.0\r\ncontent-length: 0\r\n\r\n"])
def test_the_last_one_of_a_connection_says_so_and_ends_it(asked: bytes) -> None:
    with connected(saying()) as connection:
        connection.sendall(asked)
        assert whole(connection).count(b"\r\nconnection: close\r\n") == 1


def test_an_application_may_end_the_connection_itself() -> None:
    with connected(saying((b"connection", b"close"))) as connection:
        connection.sendall(ASK)
        assert whole(connection).count(b"\r\nconnection: close\r\n") == 1


def test_who_asks_for_the_head_alone_gets_no_body() -> None:
    with connected(saying()) as connection:
        connection.sendall(LAST.replace(b"POST", b"HEAD"))
        found = whole(connection)
        assert found.endswith(b"\r\n\r\n")
        assert b"content-length: 8\r\n" in found


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\0b", b"a\x7fb", b"a\rb"])
def test_a_header_that_would_be_read_as_more_is_not_sent(value: bytes) -> None:
    with connected(saying((b"x-tier", value))) as connection:
        connection.sendall(ASK)
        found = whole(connection)
        assert found.startswith(b"HTTP/1.1 500 ")
        assert b"x-tier" not in found


def test_a_second_one_to_the_same_request_is_not_sent() -> None:
    with connected(saying(times=2)) as connection:
        connection.sendall(ASK)
        assert whole(connection).count(b"HTTP/1.1") == 1


def test_a_client_that_has_left_costs_nothing_more() -> None:
    ended: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await Whole(BODY, ())(scope, receive, send)
        ended.append(True)

    with connected(app) as connection:
        connection.sendall(ASK)
        time.sleep(0.1)
        connection.close()
        end = time.monotonic() + 20
        while not ended and time.monotonic() < end:
            time.sleep(0.02)
    assert ended


def test_a_body_that_waits_to_be_asked_for_is_asked_for() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        found = b""
        while (message := await receive())["more_body"]:
            found += message["body"]
        await Whole(found + message["body"], ())(scope, receive, send)

    with connected(app) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 8\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for piece in (BODY[:3], BODY[3:]):
            time.sleep(0.05)
            connection.sendall(piece)
        assert head(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_connection_ends_when_it_has_idled_long_enough_and_no_sooner() -> None:
    with connected(saying(), timeout_keep_alive=0.6) as connection:
        for _ in range(4):
            connection.sendall(ASK)
            head(connection)
            time.sleep(0.3)
        idled = time.monotonic()
        assert whole(connection) == b""
        assert 0.1 < time.monotonic() - idled < 10


def test_an_answer_that_takes_long_is_no_idling() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/slow":
            await asyncio.sleep(0.8)
        await Whole(BODY, ())(scope, receive, send)

    with connected(app, timeout_keep_alive=0.3) as connection:
        connection.sendall(ASK + ASK.replace(b" / ", b" /slow "))
        head(connection)
        assert head(connection).startswith(b"HTTP/1.1 200 OK\r\n")
        assert whole(connection) == b""


async def test_other_servers_get_ordinary_messages() -> None:
    messages = await in_messages(saying(), {"type": "http"})
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    assert messages[1]["body"] == BODY
