"""Responses that are gone on from: by their id or by their items, read again, deleted, each for a bounded time."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine

from router.errors import StoreUnavailable
from server.access.keys import Key
from server.api.conversations import Stored
from server.conversations.database import PAUSE, ROUND, InDatabase
from server.conversations.memory import InMemory
from server.observers.outcomes.address import engine
from tests.server.harness import CALL, TOOLS, Reply, World, error, running

PATH = "/v1/responses"
FLAT: Any = [{"type": "function", **TOOLS[0]["function"]}]  # type: ignore[dict-item]


async def respond(world: World, given: object, **body: Any) -> httpx.Response:
    return await world.client.post(PATH, json={"model": "auto", "input": given, **body})


def said(world: World) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in world.small.calls[-1].messages]


async def test_a_response_goes_on_from_the_one_before() -> None:
    async with running(["one", "two", "three"]) as world:
        first = (await respond(world, "a", instructions="be brief")).json()
        second = (await respond(world, "b", previous_response_id=first["id"])).json()
        await respond(world, [{"role": "user", "content": "c"}], previous_response_id=second["id"])
    assert first["store"] is True
    assert second["previous_response_id"] == first["id"]
    assert said(world) == [("user", "a"), ("assistant", "one"), ("user", "b"), ("assistant", "two"), ("user", "c")]


async def test_a_tool_loop_goes_on_by_its_outputs_alone() -> None:
    async with running([CALL, '{"message":"done"}']) as world:
        first = (await respond(world, "five minutes", tools=FLAT)).json()
        outputs = [{"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "ok"}]
        second = await respond(world, outputs, previous_response_id=first["id"], tools=FLAT)
    assert second.status_code == 200
    assert [message.role for message in world.small.calls[-1].messages] == ["user", "assistant", "tool"]


async def test_a_streamed_response_is_stored_before_its_last_event() -> None:
    async with running(["one", "two"]) as world:
        async with world.client.stream("POST", PATH, json={"model": "auto", "input": "a", "stream": True}) as stream:
            events = [line async for line in stream.aiter_lines() if line.startswith("data:")]
        made = httpx.Response(200, text=events[-1].removeprefix("data: ")).json()["response"]
        assert (await respond(world, "b", previous_response_id=made["id"])).status_code == 200
    assert made["store"] is True
    assert said(world)[:2] == [("user", "a"), ("assistant", "one")]


async def test_a_reference_stands_for_its_item() -> None:
    async with running(["one", "two"]) as world:
        first = (await respond(world, "a")).json()
        reference = {"type": "item_reference", "id": first["output"][0]["id"]}
        await respond(world, [{"role": "user", "content": "a"}, reference, {"role": "user", "content": "b"}])
    assert said(world) == [("user", "a"), ("assistant", "one"), ("user", "b")]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "a", "previous_response_id": "resp_0"}, "previous_response_id"),
        ({"input": [{"type": "item_reference", "id": "msg_0"}]}, "input[0].id"),
        ({"input": [{"type": "item_reference", "id": "odd"}]}, "input[0].id"),
    ],
)
async def test_what_is_not_stored_is_named(body: dict[str, Any], param: str) -> None:
    async with running() as world:
        found = await respond(world, body.pop("input"), **body)
    assert error(found) == (400, "invalid_request_error", "previous_response_not_found", param)


async def test_a_wrong_output_is_named_by_its_place_in_the_new_input() -> None:
    async with running() as world:
        first = (await respond(world, "a")).json()
        found = await respond(world, [{"type": "function_call_output", "call_id": "x", "output": "y"}], previous_response_id=first["id"])
    assert error(found)[3] == "input[0].call_id"


async def test_what_the_client_does_not_want_stored_is_not() -> None:
    async with running() as world:
        first = (await respond(world, "a", store=False)).json()
        assert error(await respond(world, "b", previous_response_id=first["id"]))[2] == "previous_response_not_found"
    assert first["store"] is False


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"previous_response_id": "resp_0"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"input": [{"type": "item_reference", "id": "msg_0"}]}, "input[0]"),
    ],
)
async def test_without_a_store_it_is_refused(body: dict[str, Any], param: str) -> None:
    async with running(responses={"rows": 0}) as world:
        assert error(await respond(world, body.pop("input", "a"), **body)) == (400, "invalid_request_error", "unsupported_parameter", param)
        assert (await respond(world, "a")).json()["store"] is False
        assert error(await world.client.get(f"{PATH}/resp_0"))[:3] == (404, "invalid_request_error", "not_found")


async def test_several_workers_store_only_in_a_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    shared = {"url": f"sqlite:///{tmp_path}/responses.db"}
    async with running() as alone, running(["one"], responses=shared) as first, running(["two"], responses=shared) as second:
        assert (await respond(alone, "a")).json()["store"] is False
        made = (await respond(first, "a")).json()
        assert (await respond(second, "b", previous_response_id=made["id"])).status_code == 200
        for world in (first, second):
            await world.gateway.parts.conversations.close()  # type: ignore[union-attr]
    assert said(second) == [("user", "a"), ("assistant", "one"), ("user", "b")]


async def test_a_stored_response_is_read_again_and_deleted() -> None:
    async with running(["one"]) as world:
        made = (await respond(world, "a")).json()
        assert (await world.client.get(f"{PATH}/{made['id']}")).json() == made
        gone = await world.client.delete(f"{PATH}/{made['id']}")
        assert gone.json() == {"id": made["id"], "object": "response", "deleted": True}
        for again in (await world.client.get(f"{PATH}/{made['id']}"), await world.client.delete(f"{PATH}/{made['id']}")):
            assert error(again)[:3] == (404, "invalid_request_error", "not_found")


async def test_the_input_is_listed_without_what_came_before() -> None:
    async with running(["one", "two"]) as world:
        first = (await respond(world, "a")).json()
        asked = [{"role": "user", "content": "b"}, {"role": "user", "content": "c"}]
        second = (await respond(world, asked, previous_response_id=first["id"])).json()
        path = f"{PATH}/{second['id']}/input_items"
        page = (await world.client.get(path, params={"limit": 1, "order": "asc"})).json()
        rest = (await world.client.get(path, params={"order": "asc", "after": page["last_id"]})).json()
        for query, param in (({"limit": 0}, "limit"), ({"limit": "x"}, "limit"), ({"order": "up"}, "order")):
            assert error(await world.client.get(path, params=query)) == (400, "invalid_request_error", "invalid_request", param)
    assert [item["content"][0]["text"] for item in (*page["data"], *rest["data"])] == ["b", "c"]
    assert (page["has_more"], rest["has_more"]) == (True, False)


async def test_a_store_that_is_away_costs_the_follow_up_and_not_the_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with running(["one"], responses={"url": f"sqlite:///{tmp_path}/file/responses.db"}) as world:
        made = await respond(world, "a")
        assert (made.status_code, made.json()["store"]) == (200, False)
        assert error(await respond(world, "b", previous_response_id="resp_0")) == (503, "api_error", "store_unavailable", None)


async def test_who_asks_with_another_key_finds_nothing() -> None:
    """As the access layer leaves the caller's key in the request's state."""

    async def keyed(scope: Any, receive: Any, send: Any) -> None:
        name = dict(scope["headers"])[b"authorization"].decode()
        await world.gateway.app({**scope, "state": {"key": Key(name)}}, receive, send)

    async with running() as world:
        transport = httpx.ASGITransport(keyed)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers={"authorization": "ann"}) as ann:
            made = (await ann.post(PATH, json={"model": "auto", "input": "a"})).json()
            path = f"{PATH}/{made['id']}"
            goes_on = {"model": "auto", "input": "b", "previous_response_id": made["id"]}
            ben = {"authorization": "ben"}
            assert error(await ann.post(PATH, json=goes_on, headers=ben))[2] == "previous_response_not_found"
            for method, url in (("GET", path), ("GET", f"{path}/input_items"), ("DELETE", path)):
                assert (await ann.request(method, url, headers=ben)).status_code == 404
            assert (await ann.post(PATH, json=goes_on)).status_code == 200


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def stored(name: str, owner: str = "", size: int = 10) -> Stored:
    return Stored(f"resp_{name}", owner, b"[]", 0, b"x" * (size - 2))


@pytest.fixture(params=["memory", "database"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A store of three responses, 100 bytes and a day."""
    clock = Clock()
    reached = engine(f"sqlite:///{tmp_path}/r.db", tmp_path)
    yield (InMemory(3, 100, 1.0, clock) if request.param == "memory" else InDatabase(reached, 3, 100, 1.0, clock, every=1)), clock
    reached.dispose()


async def test_only_the_owner_finds_and_drops(store: Any) -> None:
    kept, _ = store
    assert await kept.keep(stored("a", "ann"))
    assert await kept.find("resp_a", "ben") is None
    assert not await kept.drop("resp_a", "ben")
    assert await kept.find("resp_a", "ann") == stored("a", "ann")
    assert await kept.drop("resp_a", "ann")
    assert await kept.find("resp_a", "ann") is None


async def test_the_oldest_go_when_there_are_too_many(store: Any) -> None:
    kept, clock = store
    for name in "abcd":
        clock.now += 1
        await kept.keep(stored(name))
    assert [name for name in "abcd" if await kept.find(f"resp_{name}", "")] == ["b", "c", "d"]


async def test_what_is_too_old_is_not_found(store: Any) -> None:
    kept, clock = store
    await kept.keep(stored("a"))
    clock.now += 86_401
    assert await kept.find("resp_a", "") is None


async def kept_at(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [row[0].removeprefix("resp_") for row in database.execute("SELECT id FROM stored_responses ORDER BY at, id")]


async def test_what_is_too_old_leaves_the_database_and_what_only_looks_old_since_the_clock_jumped_does_not(tmp_path: Path) -> None:
    wall, clock = Clock(), Clock()
    store = InDatabase(engine(f"sqlite:///{tmp_path}/r.db", tmp_path), 99, 100, 1.0, wall, every=1, clock=clock)

    async def passes(seconds: float, name: str, jump: float = 0.0) -> list[str]:
        clock.now, wall.now = clock.now + seconds, wall.now + seconds + jump
        await store.keep(stored(name))
        return await kept_at(tmp_path / "r.db")

    assert await passes(0, "a") == ["a"]
    assert await passes(0, "b", jump=100_000.0) == ["a", "b"]
    assert await passes(ROUND, "c") == ["a", "b", "c"]
    assert await passes(ROUND / 2, "d", jump=-100_000.0) == ["a", "d", "b", "c"]
    assert await passes(ROUND, "e") == ["a", "d", "e", "b", "c"]
    assert await passes(ROUND, "f") == ["a", "d", "e", "b", "c", "f"]
    assert await passes(86_400.0 - ROUND, "g") == ["e", "b", "c", "f", "g"]
    await store.close()


async def test_what_is_too_large_is_not_kept(store: Any) -> None:
    kept, _ = store
    assert not await kept.keep(stored("a", size=101))
    assert await kept.find("resp_a", "") is None


async def test_memory_is_bounded_by_bytes() -> None:
    kept = InMemory(100, 25, 1.0, Clock())
    for name in "abc":
        await kept.keep(stored(name))
    assert [name for name in "abc" if await kept.find(f"resp_{name}", "")] == ["b", "c"]
    assert kept.size == 20


async def test_several_may_make_the_table_at_once(tmp_path: Path) -> None:
    stores = [InDatabase(engine(f"sqlite:///{tmp_path}/r.db", tmp_path), 9, 100, 1.0, Clock()) for _ in range(4)]
    await asyncio.gather(*(one.keep(stored(str(index))) for index, one in enumerate(stores)))
    assert all([await stores[0].find(f"resp_{index}", "") for index in range(4)])
    for one in stores:
        await one.close()


async def test_a_database_that_fails_is_one_error() -> None:
    away = InDatabase(create_engine("sqlite:////proc/none/x.db"), 3, 100, 1.0, Clock())
    with pytest.raises(StoreUnavailable):
        await away.find("resp_a", "")
    await away.close()


async def test_a_database_that_is_locked_holds_up_who_tries_it_and_not_every_answer(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "r.db"
    store = InDatabase(engine(f"sqlite:///{path}", tmp_path), 99, 100, 1.0, Clock(), clock=clock)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        found = await asyncio.gather(*(store.keep(stored(str(number))) for number in range(8)), return_exceptions=True)
        assert time.monotonic() - began < 12  # one waits for three seconds; eight would for twenty-four
        assert {type(one) for one in found} == {StoreUnavailable}
        other.execute("ROLLBACK")
    with pytest.raises(StoreUnavailable):
        await store.keep(stored("a"))
    clock.now += PAUSE
    assert await store.keep(stored("a"))
    assert await store.keep(stored("b"))
    await store.close()


async def test_what_no_patience_mends_is_told_at_once(tmp_path: Path) -> None:
    """A full disk as much as a file that is no database; a lock is waited for."""
    store = InDatabase(engine("sqlite:////proc/self/comm", tmp_path), 99, 100, 1.0, Clock())
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await store.keep(stored("a"))
    assert time.monotonic() - began < 2
    await store.close()


async def test_a_response_that_failed_is_not_stored() -> None:
    async with running([Reply("", finish_reason="stop")], [""], route={"when_all_abstain": "defer", "when_exhausted": "error"}) as world:
        failed = await respond(world, "a", tools=FLAT, tool_choice="required")
        assert failed.status_code == 503
        assert not world.gateway.parts.conversations.held  # type: ignore[union-attr]
