"""`smallfirst serve` with engines of kind vllm, as real processes: readiness, restarts, and an end with the gateway however it ends."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.test_draining import free_port, status

PROGRAM = Path(__file__).with_name("fake.py")
BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


@dataclass(frozen=True, slots=True)
class Box:
    """A running gateway with its folder."""

    process: Process
    client: httpx.AsyncClient
    folder: Path

    @property
    def lives(self) -> list[dict[str, Any]]:
        """What the server's lives wrote down of themselves."""
        path = self.folder / "lives"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(120):
            while not condition():
                await asyncio.sleep(0.02)

    async def ready(self, code: int = 200) -> None:
        async with asyncio.timeout(120):
            while await status(self.client, "/readyz") != code:
                await asyncio.sleep(0.02)

    def gone(self) -> bool:
        """Whether nothing of any life is left."""
        return not any(alive(life[who]) for life in self.lives for who in ("pid", "child"))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def settings(folder: Path, **engine: Any) -> Path:
    program = folder / "vllm"
    program.write_text(f"#!{sys.executable}\n{PROGRAM.read_text()}")
    program.chmod(0o755)
    environment = {"LIVES": str(folder / "lives"), "LOADING": "0"} | engine.pop("environment", {})
    given = {"kind": "vllm", "model": "org/small", "port": free_port(), "executable": str(program), "environment": environment}
    document = {
        "engines": {"slm": given | engine},
        "routes": {"auto": {"tiers": [{"engine": "slm", "price": {"prompt": 1, "completion": 1}}], "when_all_abstain": "accept"}},
    }
    path = folder / "box.yaml"
    path.write_text(json.dumps(document))
    return path


@asynccontextmanager
async def box(folder: Path, *more: str, **engine: Any) -> AsyncIterator[Box]:
    port = free_port()
    command = [sys.executable, "-m", "server", "serve", "--config", str(settings(folder, **engine)), "--port", str(port), *more]
    environment = os.environ | {"VLLM_API_KEY": "the-operators-own-secret"}
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL, env=environment)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        made = Box(process, client, folder)
        try:
            yield made
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
            await made.until(made.gone)


async def test_the_gateway_is_ready_when_its_server_is_and_answers_through_it(tmp_path: Path) -> None:
    async with box(tmp_path, environment={"LOADING": "1.5"}, arguments={"max_model_len": 512, "enforce-eager": True}) as running:
        await running.ready(503)
        assert (await running.client.post("/v1/chat/completions", json=BODY)).status_code == 503
        await running.ready()
        answer = await running.client.post("/v1/chat/completions", json=BODY)
        assert answer.json()["choices"][0]["message"]["content"] == "words of slm"
        [life] = running.lives
        port = life["arguments"][life["arguments"].index("--port") + 1]
        listening = ["--host", "127.0.0.1", "--port", port, "--served-model-name", "slm"]
        assert life["arguments"] == ["serve", "org/small", *listening, "--max-model-len", "512", "--enforce-eager"]


async def test_its_lines_are_logged_without_secrets_and_all_of_it_stops_with_the_gateway(tmp_path: Path) -> None:
    async with box(tmp_path) as running:
        await running.ready()
        running.process.send_signal(signal.SIGTERM)
        logged, _ = await running.process.communicate()
        assert running.process.returncode in (0, -signal.SIGTERM)
        await running.until(running.gone)
        lines = [json.loads(line) for line in logged.splitlines()]
        assert {"event": "vllm", "engine": "slm", "message": "my key is ***"} in lines
        assert b"the-operators-own-secret" not in logged


@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["one process", "two workers"])
async def test_there_is_one_server_for_all_workers_and_it_does_not_outlive_a_killed_gateway(tmp_path: Path, more: tuple[str, ...]) -> None:
    async with box(tmp_path, *more) as running:
        await running.ready()
        assert len(running.lives) == 1
        assert alive(running.lives[0]["child"])
        running.process.kill()
        await running.until(running.gone)
        assert len(running.lives) == 1


async def test_a_server_that_crashes_is_an_error_and_starts_again_with_nothing_left_of_its_old_life(tmp_path: Path) -> None:
    async with box(tmp_path, retries=0) as running:
        await running.ready()
        crash = {"model": "auto", "messages": [{"role": "user", "content": "crash"}]}
        failed = await running.client.post("/v1/chat/completions", json=crash)
        assert (failed.status_code, failed.json()["error"]["code"]) == (502, "engine_error")
        await running.until(lambda: len(running.lives) == 2)
        await running.ready()
        first, second = running.lives
        assert not alive(first["pid"])
        assert not alive(first["child"])
        assert (await running.client.post("/v1/chat/completions", json=BODY)).status_code == 200
        assert second["pid"] != first["pid"]


async def test_a_killed_keeper_takes_its_server_with_it_and_both_come_back(tmp_path: Path) -> None:
    async with box(tmp_path) as running:
        await running.ready()
        os.kill(parent(running.lives[0]["pid"]), signal.SIGKILL)
        await running.until(lambda: not alive(running.lives[0]["pid"]))
        await running.until(lambda: len(running.lives) == 2)
        os.kill(running.lives[0]["child"], signal.SIGKILL)  # a real server's children notice by themselves
        await running.ready()


async def test_a_server_that_cannot_be_started_is_told_before_anything_listens(tmp_path: Path) -> None:
    path = settings(tmp_path, executable="no-such-program")
    command = [sys.executable, "-m", "server", "serve", "--config", str(path), "--port", str(free_port())]
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=PIPE)
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().startswith("smallfirst: engines.slm.executable: there is no program 'no-such-program'")
