import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text

from router.calibration.watching import ESCALATE_ALL, Limits, Target
from server.observers.outcomes.address import engine
from server.observers.outcomes.database import Database
from server.observers.outcomes.encoding import Encoder
from server.observers.outcomes.ports import StoreLost
from server.watcher import Watched, Watcher
from tests.server.observers.outcomes.made import database, kept_small, label

WATCHED = Watched(Target(0.1, 0.9), "print", limits=Limits(window=200, least=50))


class Board:
    def __init__(self) -> None:
        self.bounds: dict[str, float | None] = {}
        self.targets: dict[str, float] = {}
        self.floors: dict[str, float] = {}
        self.errors: dict[str, float | None] = {}
        self.drifts: dict[str, float | None] = {}

    def kept_error_bound(self, route: str, value: float | None) -> None:
        self.bounds[route] = value

    def kept_error_target(self, route: str, value: float) -> None:
        self.targets[route] = value

    def confidence_floor(self, route: str, value: float) -> None:
        self.floors[route] = value

    def calibration_error(self, route: str, value: float | None) -> None:
        self.errors[route] = value

    def drift(self, route: str, value: float | None) -> None:
        self.drifts[route] = value


@pytest.fixture(params=["sqlite", "postgresql"])
def three(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Database]]:
    """One store as three processes open it: workers of a machine, or replicas on PostgreSQL."""
    if request.param == "sqlite":
        stores = [database(tmp_path) for _ in range(3)]
    else:
        url = request.getfixturevalue("emptied")
        stores = [Database(engine(url, tmp_path)) for _ in range(3)]
    yield stores
    for store in stores:
        store.close()


def watcher(store: Any, board: Board | None = None, lines: list[str] | None = None, **given: Any) -> Watcher:
    log = lines if lines is not None else []
    return Watcher(store, {"auto": WATCHED}, board or Board(), log.append, **{"wall": lambda: 500.0} | given)


def labels(store: Database, outcomes: Sequence[float], start: int = 0, **given: Any) -> None:
    store.write([label(str(start + at), correct, **given) for at, correct in enumerate(outcomes)])


def test_a_route_that_keeps_its_promise_stands_as_fitted(tmp_path: Path) -> None:
    store, board = database(tmp_path), Board()
    made = watcher(store, board)
    assert made.detail() == {"auto": "as fitted"}
    labels(store, [1.0] * 150)
    assert made.poll()
    assert made.floor("auto") == 0.0
    assert (board.bounds["auto"] or 1.0) < 0.1
    assert board.targets["auto"] == 0.1
    assert board.errors["auto"] is not None
    assert "kept error at most" in made.detail()["auto"]
    store.close()


def test_a_broken_promise_tightens_the_route_and_is_told(tmp_path: Path) -> None:
    store, lines = database(tmp_path), list[str]()
    made = watcher(store, lines=lines)
    made.poll()
    labels(store, [0.0, 1.0] * 60)
    made.poll()
    assert made.floor("auto") == ESCALATE_ALL
    assert "everything escalates" in made.detail()["auto"]
    assert "over the target" in lines[0]
    store.close()


def test_a_bound_without_a_label_is_not_known_before_and_after_a_promise_was_broken(tmp_path: Path) -> None:
    store, board = database(tmp_path), Board()
    made = watcher(store, board)
    made.poll()
    assert board.bounds["auto"] is None
    labels(store, [0.0] * 100)
    made.poll()
    assert board.bounds["auto"] == 1.0
    assert board.floors["auto"] == ESCALATE_ALL
    made.poll()
    assert board.bounds["auto"] is None
    assert made.detail()["auto"].endswith("; no label from audit since")
    store.close()


def test_a_worker_that_is_no_longer_elected_takes_back_what_it_published(tmp_path: Path) -> None:
    store, board, now = database(tmp_path), Board(), [500.0]
    made, other = watcher(store, board, wall=lambda: now[0]), watcher(store, wall=lambda: now[0])
    labels(store, [1.0] * 50)
    assert made.poll()
    assert board.bounds["auto"] is not None
    now[0] += 31.0
    assert other.poll()
    assert not made.poll()
    assert board.bounds["auto"] is None
    assert board.floors["auto"] == 0.0
    store.close()


def test_only_one_worker_watches_and_all_follow(three: list[Database]) -> None:
    one, two, late = map(watcher, three)
    assert one.poll()
    assert not two.poll()
    labels(three[0], [0.0] * 100)
    assert one.poll()
    assert not two.poll()
    assert one.floor("auto") == two.floor("auto") == ESCALATE_ALL
    late.poll()
    assert late.floor("auto") == ESCALATE_ALL


def test_when_the_elected_one_is_gone_another_takes_over(tmp_path: Path) -> None:
    stores = [database(tmp_path) for _ in range(3)]
    one, two, three = (watcher(store, every=1.0, wall=lambda at=at: at) for store, at in zip(stores, (500.0, 502.0, 504.0), strict=True))
    assert one.poll()
    assert not two.poll()
    assert three.poll()
    for store in stores:
        store.close()


def test_replicas_take_over_by_the_clock_of_their_server(emptied: str, tmp_path: Path) -> None:
    address = engine(emptied, tmp_path)
    one, two = (watcher(Database(address), wall=lambda at=at: at) for at in (0.0, 1e12))
    assert one.poll()
    assert not two.poll()
    with address.begin() as connection:
        connection.execute(text("UPDATE leases SET until = 0"))
    assert two.poll()
    assert not one.poll()
    address.dispose()


def test_of_many_that_poll_at_once_one_is_elected(three: list[Database]) -> None:
    made = [watcher(store) for store in three * 2]
    with ThreadPoolExecutor(len(made)) as pool:
        assert sum(pool.map(Watcher.poll, made)) == 1


def test_another_calibration_starts_afresh(tmp_path: Path) -> None:
    store = database(tmp_path)
    made = watcher(store)
    made.poll()
    labels(store, [0.0] * 100)
    made.poll()
    fresh = Watcher(store, {"auto": Watched(WATCHED.target, "newer")}, wall=lambda: 2000.0, holder=made.holder)
    fresh.poll()
    assert fresh.floor("auto") == 0.0
    fresh.poll()
    assert fresh.floor("auto") == 0.0
    store.close()


def test_labels_of_before_the_watch_and_of_other_sources_do_not_count(tmp_path: Path) -> None:
    store = database(tmp_path)
    labels(store, [0.0] * 100, asked_at=1.0)
    labels(store, [0.0] * 100, start=100, source="feedback", asked_at=1000.0)
    made = watcher(store)
    made.poll()
    made.poll()
    assert made.floor("auto") == 0.0
    store.close()


def test_drifted_scores_tighten_a_route_that_no_label_vouches_for(tmp_path: Path) -> None:
    store, board = database(tmp_path), Board()
    made = watcher(store, board)
    made.poll()
    encoder = Encoder()
    rows = [encoder.row(*kept_small(str(n), 0.95 if n < 100 else 0.55), 1000.0 + n) for n in range(200)]
    store.write(rows[:100])
    made.poll()
    assert board.drifts["auto"] == 0.0
    store.write(rows[100:])
    made.poll()
    assert (board.drifts["auto"] or 0.0) > 0.25
    assert made.floor("auto") == ESCALATE_ALL
    assert "drifted" in made.detail()["auto"]
    store.close()


class Lost:
    def __getattr__(self, name: str) -> Any:
        def fail(*_given: Any) -> None:
            raise StoreLost("gone")

        return fail


def test_a_lost_store_changes_no_floor_and_is_told_once(tmp_path: Path) -> None:
    store, lines = database(tmp_path), list[str]()
    made = watcher(store, lines=lines)
    made.poll()
    labels(store, [0.0] * 100)
    made.poll()
    made.store = Lost()
    assert not made.poll()
    assert not made.poll()
    assert made.floor("auto") == ESCALATE_ALL
    assert sum("cannot reach" in line for line in lines) == 1
    assert "store lost" in made.detail()["auto"]
    store.close()


async def test_it_watches_in_the_background_until_closed(tmp_path: Path) -> None:
    store = database(tmp_path)
    made = watcher(store, every=0.01)
    made.start()
    await asyncio.to_thread(labels, store, [0.0] * 100)
    while made.floor("auto") < ESCALATE_ALL:
        await asyncio.sleep(0.01)
    await made.close()
    store.close()


async def test_closing_waits_for_the_poll_under_way(tmp_path: Path) -> None:
    """Its thread holds a connection, which would otherwise be left open when the store is closed."""
    store, begun, go_on = database(tmp_path), threading.Event(), threading.Event()

    class Slow:
        """The store, whose lease takes its time."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def lease(self, *given: Any) -> bool:
            begun.set()
            return go_on.wait(10) and store.lease(*given)

    made = watcher(cast(Any, Slow()))
    made.start()
    await asyncio.to_thread(begun.wait, 10)
    closing = asyncio.create_task(made.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    go_on.set()
    await closing
    store.close()
