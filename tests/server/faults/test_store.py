"""The outcome store fails in every way it can: clients are answered all the same, and what is lost is counted."""

import asyncio
import json
import resource
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.harness import World, alive, running
from tests.server.test_draining import running as process

COUNT = "SELECT count(*) FROM outcomes"


def kept(path: Path) -> int:
    """Rows; -1 while there is no such database."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        return int(store.execute(COUNT).fetchone()[0])
    return -1


def at(path: Path, **more: Any) -> dict[str, Any]:
    return {"url": f"sqlite:///{path}", **more}


async def ask(world: World, requests: int) -> None:
    """All of them are answered, and at once."""
    started = time.monotonic()
    assert {response.status_code for response in await asyncio.gather(*(world.ask() for _ in range(requests)))} == {200}
    assert time.monotonic() - started < 10


async def lost(world: World) -> int:
    return int(await world.metric("outcomes_lost_total"))


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_while_the_database_is_locked_outcomes_wait_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.db"
    async with running(outcomes=at(path)) as world, alive(world):
        await ask(world, 1)
        await until(lambda: kept(path) == 1)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await ask(world, 20)
            assert kept(path) == 1
            other.execute("ROLLBACK")
        await until(lambda: kept(path) == 21)
        assert await lost(world) == 0


@pytest.mark.parametrize("obstacle", ["folder", "garbage"])
async def test_a_lost_database_costs_what_does_not_fit_the_queue_and_no_more(tmp_path: Path, obstacle: str) -> None:
    path = tmp_path / "outcomes.db"
    if obstacle == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"this is no database" * 500)
    async with running(outcomes=at(path, queue=8)) as world, alive(world):
        await ask(world, 1)
        await until(lambda: any("cannot be reached" in line for line in world.lines))
        await ask(world, 20)
        assert await lost(world) == 12
        path.rmdir() if obstacle == "folder" else path.unlink()
        await until(lambda: kept(path) == 9)
    assert await lost(world) == 12


def remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


async def test_a_database_that_is_deleted_while_in_use_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.db"
    async with running(outcomes=at(path)) as world, alive(world):
        await ask(world, 3)
        await until(lambda: kept(path) == 3)
        remove(path)
        await ask(world, 4)
        await until(lambda: kept(path) == 4)
    assert await lost(world) == 0


async def test_a_full_disk_stops_nothing_and_its_loss_is_counted(tmp_path: Path) -> None:
    """The process may write files of so many bytes: what comes after is what a full disk says."""
    path = tmp_path / "full.json"
    route = {"tiers": [{"engine": "slm", "price": {"prompt": 1, "completion": 1}}], "when_all_abstain": "accept"}
    document = {
        "engines": {"slm": {"kind": "scripted", "replies": ["hello"]}},
        "routes": {"auto": route},
        "outcomes": at(tmp_path / "outcomes.db", queue=10),
    }
    path.write_text(json.dumps(document))
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        async with process(path) as (_, client):
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            sent = 0
            while await counted(client, "smallfirst_outcomes_lost_total") < 5:
                assert {(await client.post("/v1/chat/completions", json=body)).status_code for _ in range(10)} == {200}
                sent += 10
                assert sent < 3000
                await asyncio.sleep(0.05)
            assert await counted(client, 'smallfirst_requests_total{code="ok",route="auto",tier="slm"}') == sent
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def counted(client: httpx.AsyncClient, sample: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)
