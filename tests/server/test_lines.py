"""The log holds nobody up: not where nobody reads it, and not where it cannot be written."""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from server import lines as module
from server.lines import WHOLE, Lines
from tests.server.engines.openai.upstream import USAGE, delta, serving, sse_play
from tests.server.test_draining import free_port, settings, status


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        os.close(end)


def all_of(reading: int, count: int) -> list[str]:
    found = b""
    while found.count(b"\n") < count:
        found += os.read(reading, 1 << 16)
    return found.decode().splitlines()


def test_lines_come_out_whole_and_in_their_order_without_being_asked_for(pipe: tuple[int, int]) -> None:
    log = Lines(pipe[1])
    said = [f"{number} {'é' * (number % 50)} {'x' * (WHOLE if number == 7 else 0)}" for number in range(400)]
    reader = threading.Thread(target=lambda: found.extend(all_of(pipe[0], 401)))
    found: list[str] = []
    reader.start()
    for line in said:
        log(line)
    time.sleep(0.2)
    log("after a rest")
    reader.join(10)
    assert found == [*said, "after a rest"]


def test_two_writers_of_one_pipe_part_no_line_of_each_other(pipe: tuple[int, int]) -> None:
    logs = [Lines(pipe[1]), Lines(pipe[1])]
    for _ in range(300):
        for number, log in enumerate(logs):
            log(str(number) * 900)
    assert {len(set(line)) for line in all_of(pipe[0], 600)} == {1}


def test_where_nobody_reads_nobody_waits_and_what_is_too_much_is_counted(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 100_000)
    log, began = Lines(pipe[1]), time.monotonic()
    for _ in range(4000):
        log("x" * 99)
    assert time.monotonic() - began < 1.0
    log.flush(0.1)
    read, reader = [b""], threading.Thread(target=lambda: read.append(os.read(pipe[0], 1 << 20)), daemon=True)
    while b"lost" not in b"".join(read):
        log("one more")
        reader = threading.Thread(target=lambda: read.append(os.read(pipe[0], 1 << 20)), daemon=True)
        reader.start()
        reader.join(5)
    log.flush()
    found = b"".join(read).decode().splitlines()
    lost = next(json.loads(line)["message"] for line in found if line.startswith("{"))
    assert 2000 < int(lost.split()[0]) < 4000


def test_a_full_disk_below_the_log_is_told_once_and_the_loss_when_there_is_room(tmp_path: Path) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    said: list[str] = []
    log = Lines(descriptor, said.append)
    for line in ("a", "b"):
        log(line)
        log.flush()
    assert said == ["The log cannot be written, lines are lost: [Errno 28] No space left on device"]
    room = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(room, descriptor)
    for line in ("c", "d"):
        log(line)
        log.flush()
    assert (tmp_path / "log").read_text().splitlines() == ['{"event": "log", "message": "2 lines were lost"}', "c", "d"]
    for opened in (room, descriptor):
        os.close(opened)


async def test_a_gateway_whose_log_cannot_be_written_answers(tmp_path: Path) -> None:
    port, chat = free_port(), {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    async with serving(sse_play(delta("word", finish="stop"), USAGE)) as upstream:
        command = ["-m", "server", "serve", "--config", str(settings(tmp_path, upstream.url, delay=0)), "--port", str(port)]
        full = os.open("/dev/full", os.O_WRONLY)
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=full, stderr=asyncio.subprocess.PIPE)
        os.close(full)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            while await status(client, "/readyz") != 200:
                await asyncio.sleep(0.05)
            assert [(await client.post("/v1/chat/completions", json=chat)).status_code for _ in range(3)] == [200] * 3
        process.terminate()
        _, said = await process.communicate()
    assert said.count(b"The log cannot be written") == 1
    assert process.returncode == 0
