"""Counting together through a real database and a real Redis: the same rules for each of them."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from router.errors import BudgetSpent, ConfigError, RateLimited, StoreUnavailable
from router.types import Attempt, Decision, GenerationRequest, Outcome
from server.access.database import InTable
from server.access.keys import Allowance, Key
from server.access.ledger import Count, Exchange, Ledger
from server.access.redis import NAME, InRedis
from server.observers.outcomes.address import engine
from tests.server.access.keyrings import bearing, keys_file
from tests.server.harness import alive, running, world

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
DAY, MINUTE = Count("ann", "2026-11-26", "usd"), Count("ann", "m29000000", "requests")


class RedisServer:
    """A server of our own on a port of its own; it can be stopped and started with what it held."""

    def __init__(self, folder: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        assert SERVER is not None
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--appendonly", "yes", "--appendfsync", "always"]
        self.process = subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("Redis did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    if SERVER is None:
        pytest.skip("there is neither redis-server nor valkey-server here")
    with tempfile.TemporaryDirectory(prefix="smallfirst-redis-") as folder:
        server = RedisServer(folder)
        server.start()
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Exchange, Exchange]]:
    """Two processes' ends of the same exchange."""
    if request.param == "redis":
        url = request.getfixturevalue("redis").url
        ends: list[Exchange] = [InRedis(url), InRedis(url)]
    elif request.param == "postgresql":
        url = request.getfixturevalue("cluster")
        emptied = engine(url, tmp_path)
        with emptied.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS key_counts, key_batches"))
        emptied.dispose()
        ends = [InTable(engine(url, tmp_path)) for _ in range(2)]
    else:
        ends = [InTable(engine("sqlite:///state/outcomes.db", tmp_path)) for _ in range(2)]
    yield ends[0], ends[1]
    for end in ends:
        await end.close()


async def test_what_both_tell_is_added_and_a_batch_counts_once(pair: tuple[Exchange, Exchange]) -> None:
    one, other = pair
    assert await one.tell("a", {DAY: 0.25, MINUTE: 3.0}) == {DAY: 0.25, MINUTE: 3.0}
    assert await other.tell("b", {DAY: 0.5, MINUTE: 0.0}) == {DAY: 0.75, MINUTE: 3.0}
    assert await one.tell("a", {DAY: 0.25, MINUTE: 3.0}) == {DAY: 0.75, MINUTE: 3.0}
    assert await one.tell("c", {}) == {}


async def test_many_at_once_lose_nothing(pair: tuple[Exchange, Exchange]) -> None:
    counts = {Count(f"key-{number}", "2026-11", "tokens"): 1.0 for number in range(500)}
    await asyncio.gather(*(end.tell(f"{index}-{turn}", counts) for index, end in enumerate(pair) for turn in range(5)))
    assert await pair[0].tell("last", dict.fromkeys(counts, 0.0)) == dict.fromkeys(counts, 10.0)


async def test_two_gateways_hold_one_rate_and_one_budget(pair: tuple[Exchange, Exchange]) -> None:
    ann, ben = Key("ann", rate=10), Key("ben", budgets={"month": Allowance(usd=1.0)})
    books = [Ledger(time.time, end) for end in pair]
    for book in books:
        for _ in range(5):
            with book.admit(ann):
                pass
        with book.admit(ben):
            attempt = Attempt("small", "try", None, cost=0.5)
            book.observe(GenerationRequest("r", "auto", (), owner="ben"), Outcome("r", "auto", Decision(("small",)), (attempt,), 0))
    for book in books * 2:
        await book.settle((ann, ben))
    for book in books:
        with pytest.raises(RateLimited), book.admit(ann):
            pass
        with pytest.raises(BudgetSpent), book.admit(ben):
            pass


async def test_redis_may_go_and_come_back(redis: RedisServer) -> None:
    end = InRedis(redis.url, seconds=1.0)
    await end.tell("a", {DAY: 1.0})
    redis.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await end.tell("b", {DAY: 1.0})
    redis.start()
    assert await end.tell("b", {DAY: 1.0}) == {DAY: 2.0}
    await end.close()


async def test_a_redis_that_was_replaced_behind_its_address_is_found(redis: RedisServer) -> None:
    """The old one still answers, and refuses as a replica does: only a new connection reaches the new one."""
    end = InRedis(redis.url)
    await end.tell("a", {DAY: 1.0})
    by_hand = InRedis(redis.url)._client
    await by_hand.replicaof("127.0.0.1", "1")
    before = (await by_hand.info("stats"))["total_connections_received"]
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="ReadOnlyError"):
            await end.tell("b", {DAY: 1.0})
    assert (await by_hand.info("stats"))["total_connections_received"] == before + 1
    await by_hand.replicaof("NO", "ONE")
    assert await end.tell("b", {DAY: 1.0}) == {DAY: 2.0}
    await by_hand.aclose()
    await end.close()


async def test_a_count_that_somebody_else_has_spoilt_is_a_loss_and_no_end(redis: RedisServer) -> None:
    end = InRedis(redis.url)
    await end._client.hset(NAME.format(DAY.window), f"{DAY.key}/{DAY.kind}", "junk")
    for amount in (1.0, 0.0):
        with pytest.raises(StoreUnavailable):
            await end.tell(f"a{amount}", {DAY: amount})
    await end.close()


async def test_counts_do_not_stay_for_ever(redis: RedisServer) -> None:
    end = InRedis(redis.url)
    await end.tell("a", {DAY: 1.0, MINUTE: 1.0, Count("ann", "2026-11", "usd"): 1.0})
    left = {name: await end._client.ttl(name) for name in await end._client.keys("*")}
    assert all(0 < seconds <= 40 * 86_400 for seconds in left.values())
    assert len(left) == 4
    await end.close()


@pytest.mark.parametrize("url", ["", "http://x:secret@y", "redis://[", "nonsense"])
def test_a_wrong_url_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(ConfigError, match=r"access\.redis_env") as caught:
        InRedis(url)
    assert "secret" not in caught.value.message


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hears everything and says nothing."""
    await reader.read()
    writer.close()


async def test_a_redis_that_hangs_fails_in_time_and_its_password_is_not_told() -> None:
    hung = await asyncio.start_server(silent, "127.0.0.1", 0)
    end = InRedis(f"redis://:s3cret@127.0.0.1:{hung.sockets[0].getsockname()[1]}", seconds=0.3)
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await end.tell("a", {DAY: 1.0})
    assert time.monotonic() - started < 5
    assert "s3cret" not in caught.value.message
    await end.close()
    hung.close()
    await hung.wait_closed()


async def test_a_gateway_without_its_redis_serves_counts_alone_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER", "redis://:s3cret@127.0.0.1:1")
    file, keys = keys_file(tmp_path, ann={"rate": 2})
    made = world(access={"keys_file": file, "redis_env": "LEDGER"})
    async with made.client, alive(made):
        async with asyncio.timeout(20):
            while not await made.metric("key_ledger_lost_total"):
                await asyncio.sleep(0.02)
        answers = [(await made.ask(headers=bearing(keys["ann"]))).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    said = [line["message"] for line in made.logged if line["event"] == "access"]
    assert said
    assert "Redis" in said[0]
    assert "s3cret" not in "".join(made.lines)


async def test_a_restart_forgets_no_spending_where_outcomes_are_stored(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ann={"budgets": {"day": {"usd": 0.000001}}})
    changes = {"access": {"keys_file": file}, "outcomes": {"url": f"sqlite:///{tmp_path}/outcomes.db"}}
    codes = []
    for _ in range(2):
        made = world(**changes)
        async with made.client, alive(made):
            await asyncio.sleep(0.3)
            codes.append((await made.ask(headers=bearing(keys["ann"]))).status_code)
    assert codes == [200, 429]


async def test_workers_that_would_each_grant_the_whole_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    file, _ = keys_file(tmp_path, ann={"rate": 2}, ben={})
    with pytest.raises(ConfigError, match=r"keys\.ann: several workers"):
        world(access={"keys_file": file})
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(ConfigError, match="NOWHERE is not set"):
        async with running(access={"keys_file": file, "redis_env": "NOWHERE"}):
            pass
