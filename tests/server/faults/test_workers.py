"""One of two workers is killed or replaced: the other goes on, a new one comes, and the metrics stay right."""

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx

from tests.server.engines.openai.upstream import USAGE, delta, serving, sse_play
from tests.server.faults.test_store import counted, until
from tests.server.test_draining import WORDS, running, settings, status, words

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


def workers(parent: int) -> set[int]:
    """The processes that serve for this one."""
    found = set()
    for line in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with suppress(OSError):  # it may have ended meanwhile
            if b"spawn_main" in Path(f"/proc/{line}/cmdline").read_bytes():
                found.add(int(line))
    return found


async def answered(client: httpx.AsyncClient, requests: int) -> int:
    """How many got an answer; those whose worker is killed meanwhile get none."""
    found = await asyncio.gather(*(client.post("/v1/chat/completions", json=CHAT) for _ in range(requests)), return_exceptions=True)
    return sum(isinstance(response, httpx.Response) and response.status_code == 200 for response in found)


async def test_a_killed_worker_takes_only_its_own_requests_with_it(tmp_path: Path) -> None:
    play = sse_play(delta("word"), delta(None, finish="stop"), USAGE, pause=0.2)
    async with serving(play) as upstream:
        path = settings(tmp_path, upstream.url, delay=0)
        path.write_text(json.dumps(json.loads(path.read_text()) | {"outcomes": {"url": f"sqlite:///{tmp_path}/outcomes.db"}}))
        async with running(path, "--workers", "2") as (process, client):
            assert await answered(client, 8) == 8
            before = workers(process.pid)
            assert len(before) == 2
            under_way = asyncio.create_task(answered(client, 8))
            while len(upstream.requests) < 16:
                await asyncio.sleep(0.005)
            os.kill(killed := min(before), signal.SIGKILL)
            got = 8 + await under_way
            async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as anew:
                got += await answered(anew, 8)
                await until(lambda: len(workers(process.pid) - {killed}) == 2)
                got += await answered(anew, 8)
                assert await counted(anew, 'smallfirst_requests_total{code="ok",route="auto",tier="slm"}') == got
                assert await counted(anew, 'smallfirst_inflight{route="auto"}') == 0
            process.terminate()
            await process.communicate()
    assert got >= 24


async def test_a_worker_that_is_killed_while_it_starts_is_replaced_and_holds_nothing_up(tmp_path: Path) -> None:
    async with (
        serving(sse_play(delta("word", finish="stop"), USAGE)) as upstream,
        running(settings(tmp_path, upstream.url, delay=0), "--workers", "2") as (process, client),
    ):
        killed: set[int] = set()
        for _ in range(2):  # the first serves, those that come in its place are hardly there
            await until(lambda: len(workers(process.pid) - killed) == 2)
            os.kill(newest := max(workers(process.pid) - killed), signal.SIGKILL)
            killed.add(newest)
        async with asyncio.timeout(30):
            await until(lambda: len(workers(process.pid) - killed) == 2)
        assert await status(client, "/healthz") == 200
        process.terminate()
        async with asyncio.timeout(30):
            await process.communicate()


async def test_a_hangup_replaces_the_workers_one_after_the_other_and_drops_nobody(tmp_path: Path) -> None:
    """Unless the new one cannot start: then the old ones stay."""
    play = sse_play(*map(delta, WORDS), delta(None, finish="stop"), USAGE, pause=0.1)
    async with serving(play) as upstream:
        path = settings(tmp_path, upstream.url, delay=0)
        async with running(path, "--workers", "2") as (process, client):
            await until(lambda: len(workers(process.pid)) == 2)
            before, begun = workers(process.pid), asyncio.Event()
            stream = asyncio.create_task(words(client, begun))
            await begun.wait()
            process.send_signal(signal.SIGHUP)
            while before & (now := workers(process.pid)) or len(now) != 2:
                assert len(now) >= 2
                async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as anew:
                    assert await status(anew, "/readyz") == 200
            assert await stream == "".join(WORDS)
            path.write_text("{")
            process.send_signal(signal.SIGHUP)
            await until(lambda: len(workers(process.pid)) == 3)
            await until(lambda: workers(process.pid) == now)
            assert await status(client, "/healthz") == 200
            process.terminate()
            await process.communicate()


async def test_signals_add_a_worker_and_take_one_away(tmp_path: Path) -> None:
    async with (
        serving(sse_play(delta("word", finish="stop"), USAGE)) as upstream,
        running(settings(tmp_path, upstream.url, delay=0), "--workers", "2") as (process, client),
    ):
        for number, expected in ((signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1), (signal.SIGTTOU, 1)):
            process.send_signal(number)
            await until(lambda expected=expected: len(workers(process.pid)) == expected)
        os.kill(killed := workers(process.pid).pop(), signal.SIGKILL)
        await until(lambda: len(workers(process.pid) - {killed}) == 1)
        while await status(client, "/readyz") != 200:
            await asyncio.sleep(0.05)
        process.terminate()
        await process.communicate()
