"""The client towards engines on real sockets: what it takes for an answer, what it keeps for the next call, what it gives up."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import AsyncMock, patch

import pytest
import trustme
import uvloop

from server.engines.openai import client as module
from server.engines.openai.client import PooledClient
from server.engines.openai.connection import MOST_HEAD, MOST_WAITING, STALE, Interrupted
from server.engines.openai.exchange import Exchange, PooledExchange
from server.engines.openai.options import Timeouts
from tests.server.engines.openai.upstream import leaving

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
WHOLE = HEAD + b"content-length: 4\r\n\r\nbody"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"
TOWARDS_ITS_END = HEAD + b"\r\nbody"
ON_THE_WAY = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + WHOLE


class Server:
    """Writes the same pieces for each request, and counts connections; `ends` says that it hangs up then."""

    def __init__(self, pieces: Sequence[bytes], ends: bool) -> None:
        self.pieces, self.ends, self.connections, self.url, self.written = pieces, ends, 0, "", 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while await reader.readuntil(b"{}"):
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    self.written += len(piece)
                    await asyncio.sleep(0.001)
                if self.ends:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*pieces: bytes, ends: bool = False) -> AsyncGenerator[Server, None]:
    made = Server(pieces, ends)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/chat/completions"
    try:
        yield made
    finally:
        listening.close()
        for writer in made.writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in made.writers), return_exceptions=True)


@asynccontextmanager
async def client(most: int = 4, limit: int = 1 << 20, read: float = 5.0, connect: float = 5.0) -> AsyncGenerator[PooledClient, None]:
    made = PooledClient(Timeouts(connect=connect, read=read), most, limit)
    try:
        yield made
    finally:
        await made.close()


async def post(made: PooledClient, url: str, seconds: float = 10.0, *, streamed: bool = False, **headers: str) -> Exchange:
    deadline = asyncio.get_running_loop().time() + seconds
    return await made.post(url, b"{}", headers, deadline=deadline, streamed=streamed)


async def answer(made: PooledClient, url: str, seconds: float = 10.0) -> bytes:
    exchange = await post(made, url, seconds)
    try:
        return await exchange.body()
    finally:
        exchange.close()


@pytest.mark.parametrize("said", [WHOLE, CHUNKED, ON_THE_WAY], ids=["length", "chunked", "early hints"])
async def test_an_answer_is_the_same_however_it_is_cut_and_leaves_its_connection_to_the_next(said: bytes) -> None:
    for at in range(0, len(said), 7):
        async with serving(said[:at], said[at:]) as server, client() as made:
            assert [await answer(made, server.url) for _ in range(2)] == [b"body"] * 2
            assert server.connections == 1


async def test_a_kept_connection_that_the_server_closes_as_a_request_comes_is_no_trouble() -> None:
    async with leaving(WHOLE, WHOLE, b"") as server, client() as made:
        assert [await answer(made, server.url) for _ in range(3)] == [b"body"] * 3
        assert server.connections == 2


@pytest.mark.parametrize(
    ("first", "last", "after"),
    [([], b"", 0.0), ([WHOLE], b"HTTP/1.1 2", 0.0), ([WHOLE], b"", STALE + 0.1)],
    ids=["a new one", "within an answer", "at work"],
)
async def test_any_other_connection_that_ends_is_trouble(first: list[bytes], last: bytes, after: float) -> None:
    async with leaving(WHOLE, *first, last, after=after) as server, client() as made:
        if first:
            assert await answer(made, server.url) == b"body"
        with pytest.raises(Interrupted) as caught:
            await answer(made, server.url)
        assert (caught.value.trouble, server.connections) == ("reset", 1)


async def test_a_body_without_length_ends_with_its_connection() -> None:
    async with serving(TOWARDS_ITS_END, ends=True) as server, client() as made:
        assert [await answer(made, server.url) for _ in range(2)] == [b"body"] * 2
        assert server.connections == 2


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (HEAD + b"content-length: 9\r\n\r\nbody", "reset"),
        (CHUNKED[:-5], "reset"),
        (HEAD, "reset"),
        (b"", "reset"),
        (HEAD + b"x: " + b"y" * MOST_HEAD, "protocol"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", "protocol"),
        (HEAD + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nbody", "compressed"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "protocol"),
    ],
)
async def test_what_is_no_whole_answer_is_told_as_what_it_is(said: bytes, trouble: str) -> None:
    async with serving(said, ends=True) as server, client() as made:
        with pytest.raises(Interrupted) as caught:
            await answer(made, server.url)
        assert caught.value.trouble == trouble


@pytest.mark.parametrize("more", [b"rest", WHOLE.replace(b"body", b"evil")], ids=["rubbish", "another answer"])
@pytest.mark.parametrize("together", [True, False])
async def test_more_than_was_asked_for_is_no_part_of_any_answer(more: bytes, together: bool) -> None:
    pieces = (WHOLE + more,) if together else (WHOLE, more)
    async with serving(*pieces) as server, client() as made:
        for turn in (1, 2):
            assert await answer(made, server.url) == b"body"
            while server.written < turn * len(WHOLE + more):
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.02)
        assert server.connections == 2


async def test_time_runs_out_for_the_whole_and_for_silence_apart() -> None:
    slow = HEAD + b"transfer-encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 4
    async with serving(*slow) as server, client(read=0.1) as made:
        streamed = await post(made, server.url, streamed=True)
        with pytest.raises(Interrupted) as silent:
            await streamed.body()
        streamed.close()
        with pytest.raises(Interrupted) as late:
            await answer(made, server.url, 0.1)
    assert (silent.value.trouble, late.value.trouble) == ("read_timeout", "total_timeout")


async def test_a_slow_reader_holds_the_server_back() -> None:
    size = 64 * MOST_WAITING
    async with (
        serving(HEAD + f"content-length: {size}\r\n\r\n".encode(), *[b"x" * MOST_WAITING] * 64) as server,
        client(limit=size) as made,
    ):
        exchange = await post(made, server.url, 20.0, streamed=True)
        received = len(await exchange.more())
        await asyncio.sleep(0.3)
        assert server.written < size / 2
        received += len(await exchange.body())
        exchange.close()
        assert received == size


async def test_an_answer_beyond_its_limit_is_cut_off() -> None:
    async with serving(WHOLE) as server, client(limit=3) as made:
        with pytest.raises(Interrupted) as caught:
            await answer(made, server.url)
        assert caught.value.trouble == "too_long"


async def test_no_more_connections_than_are_allowed_and_whoever_waits_gets_the_next() -> None:
    async with serving(WHOLE) as server, client(most=1) as made:
        held = await post(made, server.url)
        with pytest.raises(Interrupted) as full:
            await post(made, server.url, 0.05)
        waiting = asyncio.create_task(answer(made, server.url))
        await asyncio.sleep(0.01)
        held.close()
        assert await waiting == b"body"
        assert full.value.trouble == "total_timeout"


async def test_a_place_that_comes_as_its_waiter_gives_up_goes_to_the_next() -> None:
    async with serving(WHOLE) as server, client(most=1) as made:
        held = await post(made, server.url)
        waiting = [asyncio.create_task(answer(made, server.url)) for _ in range(3)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()  # before it comes
        held.close()
        waiting[1].cancel()  # with it
        assert await waiting[2] == b"body"
        assert await answer(made, server.url) == b"body"


async def test_what_is_told_after_an_answer_is_no_part_of_the_next_ones_head() -> None:
    trailed = CHUNKED[:-2] + b"content-encoding: gzip\r\ncontent-type: text/event-stream\r\n\r\n"
    async with serving(trailed) as server, client() as made:
        for _ in range(2):
            exchange = await post(made, server.url)
            assert (await exchange.body(), exchange.content_type) == (b"body", "application/json")
            exchange.close()
        assert server.connections == 1


async def test_of_a_header_that_is_told_twice_the_first_counts_however_it_is_written() -> None:
    twice = WHOLE.replace(b"content-type", b"Content-Type: text/event-stream; charset=utf-8\r\ncontent-type")
    async with serving(twice) as server, client() as made:
        exchange = await post(made, server.url)
        assert exchange.content_type == "text/event-stream"
        exchange.close()


async def test_a_connection_that_nobody_needs_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 0.05)
    async with serving(WHOLE) as server, client() as made:
        await answer(made, server.url)
        await asyncio.sleep(0.2)
        assert await answer(made, server.url) == b"body"
        assert server.connections == 2


async def test_a_connection_that_nobody_needed_for_so_long_is_not_used_again_before_it_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 0.2)
    async with serving(WHOLE) as server, client() as made:
        for pause in (0.15, 0.22):  # swept after 0.2 and after 0.4 seconds
            await answer(made, server.url)
            before = server.connections
            await asyncio.sleep(pause)
        await answer(made, server.url)
        assert server.connections == before + 1


async def test_a_header_cannot_begin_another_line() -> None:
    async with serving(WHOLE) as server, client() as made:
        with pytest.raises(ValueError, match="more than one line"):
            await post(made, server.url, key="a\r\nhost: elsewhere")
        assert not server.connections


async def test_a_servers_certificate_must_fit_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    made = Server([WHOLE], ends=False)
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context) as listening, client() as own:
        port = listening.sockets[0].getsockname()[1]
        assert await answer(own, f"https://localhost:{port}/v1") == b"body"
        with pytest.raises(Interrupted) as caught:
            await answer(own, f"https://127.0.0.1:{port}/v1")
        assert caught.value.trouble == "certificate"


async def test_trailers_without_end_are_cut_off_as_headers_are() -> None:
    endless = CHUNKED[:-2] + b"x: ", *[b"y" * MOST_HEAD] * 64
    async with serving(*endless) as server, client() as made:
        with pytest.raises(Interrupted) as caught:
            await answer(made, server.url)
        assert caught.value.trouble == "protocol"
        assert server.written < 16 * MOST_HEAD


async def test_a_connection_on_which_a_request_still_waits_to_be_sent_serves_no_other() -> None:
    """A server that answers early and reads no further would leave the next request behind the rest of this one."""
    connections = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(WHOLE)
        await reader.readuntil(b"\r\n\r\n" * 2)  # which never comes: it reads no more once its buffer is full
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1024) as listening, client() as made:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        for _ in range(2):
            deadline = asyncio.get_running_loop().time() + 10
            exchange = await made.post(url, b" " * 10_000_000, {}, deadline=deadline, streamed=False)
            assert await exchange.body() == b"body"
            exchange.close()
        assert connections == 2


async def test_what_nobody_read_of_an_answer_is_not_kept_with_its_connection() -> None:
    async with serving(WHOLE) as server, client() as made:
        exchange = await post(made, server.url)
        assert isinstance(exchange, PooledExchange)
        while not exchange.connection.complete:
            await asyncio.sleep(0.001)
        exchange.close()
        assert not exchange.connection.take()


async def test_a_connection_in_use_ends_with_its_exchange_where_its_client_is_closed() -> None:
    async with serving(WHOLE) as server:
        async with client() as made:
            exchange = await post(made, server.url)
        assert await exchange.body() == b"body"
        exchange.close()
        await asyncio.sleep(0.05)
        assert server.writers[0].is_closing()


@pytest.mark.parametrize("said", ["Mon, 01 Jan 99999999999999 00:00:00 GMT", "Mon, 01 Jan 2026 00:00:00 +999999999999999", "soon", "nan"])
async def test_a_time_that_no_calendar_has_is_no_retry_after(said: str) -> None:
    async with serving(WHOLE.replace(b"content-length", f"retry-after: {said}\r\ncontent-length".encode())) as server, client() as made:
        exchange = await post(made, server.url)
        assert not exchange.retry_after
        exchange.close()


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_an_address_that_never_answers_does_not_hide_the_next_one(loops: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def ask() -> bytes:
        async with serving(WHOLE) as server, client(connect=2.0) as made:
            port = int(server.url.split(":")[2].split("/")[0])
            with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
                deaf.bind(("127.0.0.2", port))
                deaf.listen(0)
                for waiting in (first, second):  # its queue is full then, and what comes more is not even refused
                    waiting.setblocking(False)
                    waiting.connect_ex(("127.0.0.2", port))
                loop = asyncio.get_running_loop()
                known = [(*[socket.AF_INET, socket.SOCK_STREAM, 6, ""], (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
                with patch.object(type(loop), "getaddrinfo", AsyncMock(return_value=known)):
                    found = await answer(made, f"http://engine.example:{port}/v1")
        await asyncio.sleep(0.02)  # until the server has seen the end
        return found

    with asyncio.Runner(loop_factory=loops) as runner:
        assert runner.run(ask()) == b"body"


async def test_a_resolver_that_is_silent_is_asked_for_a_name_once_whoever_waits() -> None:
    async def silence(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    ask = AsyncMock(side_effect=silence)
    async with client(connect=0.05) as made:
        with patch.object(type(asyncio.get_running_loop()), "getaddrinfo", ask):
            found = await asyncio.gather(*(answer(made, "http://engine.example/v1") for _ in range(4)), return_exceptions=True)
            with pytest.raises(Interrupted):
                await answer(made, "http://engine.example/v1")
        assert [error.trouble for error in found if isinstance(error, Interrupted)] == ["connect_timeout"] * 4
        assert ask.call_count == 1


async def test_a_name_is_asked_for_anew_once_it_was_answered() -> None:
    async with serving(WHOLE, ends=True) as server, client() as made:
        port = int(server.url.split(":")[2].split("/")[0])
        known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        ask = AsyncMock(side_effect=[OSError("no such name"), known])
        with patch.object(type(asyncio.get_running_loop()), "getaddrinfo", ask):
            with pytest.raises(Interrupted) as caught:
                await answer(made, f"http://engine.example:{port}/v1")
            assert caught.value.trouble == "connect"
            assert await answer(made, f"http://engine.example:{port}/v1") == b"body"


async def test_a_connection_that_is_old_serves_no_other_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has moved would not be found while its old address still answers."""
    async with serving(WHOLE) as server, client() as made:
        assert [await answer(made, server.url) for _ in range(2)] == [b"body"] * 2
        monkeypatch.setattr(module, "OLD", 0.0)
        assert [await answer(made, server.url) for _ in range(2)] == [b"body"] * 2
        assert server.connections == 2


async def test_a_name_that_no_host_can_have_is_found_nowhere() -> None:
    async with client() as made:
        with pytest.raises(Interrupted) as caught:
            await answer(made, "http://a..b/v1")
        assert caught.value.trouble == "connect"
