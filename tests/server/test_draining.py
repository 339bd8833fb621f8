"""SIGTERM against the real process with streams under way: nobody is dropped, and whoever asks learns of it first."""

import asyncio
import inspect
import json
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from server.draining import Draining
from tests.server.engines.openai.upstream import USAGE, delta, serving, sse_play

WORDS = [f"word{number} " for number in range(24)]
STREAM = {"model": "auto", "messages": [{"role": "user", "content": "count"}], "stream": True}


def settings(folder: Path, upstream: str, delay: float) -> Path:
    document = {
        "listen": {"drain": {"delay": delay, "timeout": 20}},
        "engines": {"slm": {"kind": "openai", "flavour": "openai", "base_url": upstream, "model": "m"}},
        "routes": {"auto": {"tiers": [{"engine": "slm", "price": {"prompt": 1, "completion": 1}}], "when_all_abstain": "accept"}},
    }
    path = folder / "drain.yaml"
    path.write_text(json.dumps(document))
    return path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def running(path: Path, *more: str) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    port = free_port()
    command = [sys.executable, "-m", "server", "serve", "--config", str(path), "--port", str(port), *more]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        while await status(client, "/readyz") != 200:
            await asyncio.sleep(0.05)
        yield process, client
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def status(client: httpx.AsyncClient, path: str) -> int | None:
    """`None` where nobody listens."""
    try:
        return (await client.get(path)).status_code
    except httpx.TransportError:
        return None


async def words(client: httpx.AsyncClient, begun: asyncio.Event) -> str:
    """The whole text of a stream; `begun` is set by its first word."""
    found = []
    async with client.stream("POST", "/v1/chat/completions", json=STREAM) as response:
        async for line in response.aiter_lines():
            if line == "data: [DONE]":
                return "".join(found)
            if line.startswith('data: {"error"'):
                break
            if line.startswith("data: "):
                found += [choice["delta"].get("content") or "" for choice in json.loads(line.removeprefix("data: "))["choices"]]
            if any(found):
                begun.set()
    raise AssertionError("the stream was cut")


@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["one process", "two workers"])
async def test_streams_end_whole_readiness_flips_first_and_requests_that_come_meanwhile_are_served(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    play = sse_play(*map(delta, WORDS), delta(None, finish="stop"), USAGE, pause=0.1)
    async with serving(play) as upstream, running(settings(tmp_path, upstream.url, delay=1.5), *more) as (process, client):
        begun = [asyncio.Event() for _ in range(4)]
        streams = [asyncio.create_task(words(client, event)) for event in begun]
        for event in begun:
            await event.wait()
        process.send_signal(signal.SIGTERM)
        while await status(client, "/readyz") != 503:
            assert process.returncode is None
            await asyncio.sleep(0.02)
        late = asyncio.create_task(words(client, asyncio.Event()))
        alive = await client.get("/healthz")
        assert (alive.status_code, alive.headers["connection"]) == (200, "close")
        assert await asyncio.gather(*streams, late) == ["".join(WORDS)] * 5
        await process.communicate()
        assert process.returncode in (0, -signal.SIGTERM)
        assert await status(client, "/healthz") is None


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGHUP is not ignored, as it is by whoever was started with nohup, and by every process of theirs."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heard")
async def test_one_process_alone_leaves_in_good_order_on_sighup_too(tmp_path: Path) -> None:
    play = sse_play(*map(delta, WORDS), delta(None, finish="stop"), USAGE, pause=0.05)
    async with serving(play) as upstream, running(settings(tmp_path, upstream.url, delay=0)) as (process, client):
        begun = asyncio.Event()
        stream = asyncio.create_task(words(client, begun))
        await begun.wait()
        process.send_signal(signal.SIGHUP)
        assert await stream == "".join(WORDS)
        await process.communicate()
        assert process.returncode in (0, -signal.SIGTERM)


def test_a_server_that_has_to_guess_sees_an_application_of_asgi_3() -> None:
    assert inspect.iscoroutinefunction(Draining.__call__)


async def test_a_second_sigterm_ends_the_waiting(tmp_path: Path) -> None:
    async with serving(sse_play()) as upstream, running(settings(tmp_path, upstream.url, delay=600)) as (process, client):
        process.send_signal(signal.SIGTERM)
        while await status(client, "/readyz") != 503:
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        assert process.returncode in (0, -signal.SIGTERM)


async def test_what_outlasts_the_drain_is_cut_and_the_process_still_ends(tmp_path: Path) -> None:
    path = settings(tmp_path, "http://127.0.0.1:9/v1", delay=0)
    play = sse_play(*map(delta, WORDS), ending="hang")
    async with serving(play) as upstream:
        document = json.loads(settings(tmp_path, upstream.url, delay=0).read_text())
        document["listen"]["drain"]["timeout"] = 1
        path.write_text(json.dumps(document))
        async with running(path) as (process, client):
            begun = asyncio.Event()
            stream = asyncio.create_task(words(client, begun))
            await begun.wait()
            process.send_signal(signal.SIGTERM)
            await process.communicate()
            assert process.returncode in (0, -signal.SIGTERM)
            with pytest.raises((httpx.TransportError, AssertionError)):
                await stream


async def test_who_has_connected_and_not_asked_yet_is_still_answered(tmp_path: Path) -> None:
    async with (
        serving(sse_play(delta("word", finish="stop"), USAGE)) as upstream,
        running(settings(tmp_path, upstream.url, delay=0)) as (process, client),
    ):
        address = client.base_url.host, client.base_url.port
        reader, writer = await asyncio.open_connection(*address)
        while await status(client, "/healthz") != 200:  # which is accepted after it
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        while await listens(*address):
            await asyncio.sleep(0.02)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_after_a_stream_that_could_not_say_so_a_client_may_ask_once_more_and_is_told(tmp_path: Path) -> None:
    play = sse_play(*map(delta, WORDS), delta(None, finish="stop"), USAGE, pause=0.05)
    async with serving(play) as upstream, running(settings(tmp_path, upstream.url, delay=0)) as (process, client):
        address = client.base_url.host, client.base_url.port
        reader, writer = await asyncio.open_connection(*address)
        body = json.dumps(STREAM).encode()
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await reader.readuntil(b"word0 ")
        process.send_signal(signal.SIGTERM)
        while await listens(*address):
            await asyncio.sleep(0.02)
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n" * 2)
        found = await reader.read()
        assert found.count(b"HTTP/1.1 200") == found.count(b"\r\nconnection: close\r\n") == 1
        writer.close()


async def test_what_was_sent_in_one_pile_is_answered_before_the_server_leaves_and_the_last_answer_says_so(tmp_path: Path) -> None:
    play = sse_play(*map(delta, WORDS), delta(None, finish="stop"), USAGE, pause=0.05)
    async with serving(play) as upstream, running(settings(tmp_path, upstream.url, delay=0)) as (process, client):
        address = client.base_url.host, client.base_url.port
        reader, writer = await asyncio.open_connection(*address)
        body = json.dumps(STREAM).encode()
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n" * 2)
        found = await reader.readuntil(b"word0 ")
        process.send_signal(signal.SIGTERM)
        found += await reader.read(-1)
        assert found.count(b"HTTP/1.1 200") == 3
        assert found.count(b"\r\nconnection: close\r\n") == found.rpartition(b"HTTP/1.1 200")[2].count(b"connection: close") == 1
        writer.close()


async def listens(host: str, port: int | None) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
