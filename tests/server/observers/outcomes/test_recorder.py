import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.errors import Overloaded
from server.observers.outcomes.ports import Entry, StoreLost, Unfit, Written
from tests.server.observers.outcomes.made import Ears, climbed, database, kept_small, label, outcome, recorder, request, stored


class Fickle:
    """A store in memory that fails as long as it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.entries, self.tries, self.closed = failure, [], 0, False
        self.may = threading.Event()
        self.may.set()

    def write(self, entries: Sequence[Entry]) -> Written:
        self.may.wait()
        self.tries += 1
        if self.failure is not None:
            raise self.failure
        if any(getattr(entry, "response_id", "") == "bad" for entry in entries):
            raise Unfit("bad")
        self.entries += entries
        return Written(tuple(entry for entry in entries if hasattr(entry, "weight")))

    def trim(self, retention: Any, now: float) -> int:  # noqa: ARG002
        return 0

    def close(self) -> None:
        self.closed = True


def ids(store: Fickle) -> list[str]:
    return [entry.response_id for entry in store.entries]


def test_nothing_is_lost_when_the_server_stops(tmp_path: Path) -> None:
    ears = Ears()
    made = recorder(database(tmp_path), ears, seconds=5.0)
    for number in range(700):
        made.observe(*climbed(str(number)))
    made.close()
    assert ears.lost == 0
    assert len(stored(tmp_path)) == 700


def test_observing_waits_for_no_store() -> None:
    """The store hangs until all was observed: an observer that waited for it would never come so far."""
    store = Fickle()
    store.may.clear()
    made = recorder(store)
    for number in range(2000):
        made.observe(*kept_small(str(number)))
    assert not store.entries
    store.may.set()
    made.close(30)
    assert len(store.entries) == 2000


def test_while_the_store_is_lost_outcomes_wait_and_then_all_are_written() -> None:
    store, ears = Fickle(StoreLost("locked")), Ears()
    made = recorder(store, ears)
    for number in range(5):
        made.observe(*kept_small(str(number)))
    while store.tries < 3:
        time.sleep(0.005)
    store.failure = None
    made.close()
    assert ids(store) == [str(number) for number in range(5)]
    assert ears.lost == 0
    assert "cannot be reached" in ears.lines[0]


@pytest.mark.parametrize("bounds", [{"entries": 3}, {"characters": 3 * 700}])
def test_what_does_not_fit_the_queue_is_counted(bounds: dict[str, int]) -> None:
    store, ears = Fickle(), Ears()
    store.may.clear()
    made = recorder(store, ears, **bounds, seconds=10.0)
    for number in range(50):
        made.observe(*kept_small(str(number)))
    assert ears.lost >= 40
    store.may.set()
    made.close()
    assert len(store.entries) + ears.lost == 50


async def test_what_clients_say_of_answers_takes_its_room_in_the_queue_too() -> None:
    store, ears = Fickle(), Ears()
    store.may.clear()
    made = recorder(store, ears, content=True, characters=20_000, seconds=10.0)
    made.observe(*kept_small("a"))
    assert await made.feedback("a", 1.0, "x" * 10_000)
    with pytest.raises(Overloaded):
        await made.feedback("a", 1.0, "x" * 10_000)
    store.may.set()
    made.close()


def test_what_a_lost_store_never_took_is_counted_when_the_server_stops() -> None:
    store, ears = Fickle(StoreLost("gone")), Ears()
    made = recorder(store, ears)
    for number in range(5):
        made.observe(*kept_small(str(number)))
    made.close(0.1)
    assert ears.lost == 5
    assert store.closed
    made.observe(*kept_small("late"))
    assert ears.lost == 6


def test_one_bad_entry_does_not_take_the_others_with_it() -> None:
    store, ears = Fickle(), Ears()
    made = recorder(store, ears, seconds=0.05)
    for name in ("a", "bad", "b"):
        made.observe(*kept_small(name))
    made.close()
    assert ids(store) == ["a", "b"]
    assert ears.lost == 1


def test_an_outcome_that_cannot_be_encoded_costs_only_itself() -> None:
    store, ears = Fickle(), Ears()
    made = recorder(store, ears)
    made.observe(request("x"), outcome(response_id="x", answer=7))
    made.observe(*kept_small("a"))
    made.close()
    assert ids(store) == ["a"]
    assert ears.lost == 1


def test_an_escalation_labels_the_small_draft_for_free() -> None:
    store, ears = Fickle(), Ears()
    made = recorder(store, ears)
    made.observe(*climbed("wrong", small=4))
    made.observe(*climbed("right", small=5))
    made.close()
    labels = [entry for entry in store.entries if hasattr(entry, "weight")]
    assert [(one.response_id, one.tier, one.source, one.correct, one.weight, one.kept, one.confidence) for one in labels] == [
        ("wrong", "small", "audit", 0.0, 1.0, False, 0.4),
        ("right", "small", "audit", 1.0, 1.0, False, 0.4),
    ]
    assert ears.labels == [("auto", "audit", False), ("auto", "audit", True)]


async def test_feedback_on_a_response_that_still_waits_is_joined_to_it(tmp_path: Path) -> None:
    ears = Ears()
    made = recorder(database(tmp_path), ears, seconds=5.0)
    made.observe(*kept_small("a"))
    assert await made.feedback("a", 1.0)
    await asyncio.to_thread(made.close)
    assert ears.labels == [("auto", "feedback", True)]


async def test_feedback_on_a_stored_response_is_idempotent_and_an_unknown_one_is_told(tmp_path: Path) -> None:
    first = recorder(database(tmp_path))
    first.observe(*kept_small("a"))
    await asyncio.to_thread(first.close)
    ears = Ears()
    made = recorder(database(tmp_path), ears)
    assert await made.feedback("a", 0.0)
    assert await made.feedback("a", 0.0)
    assert not await made.feedback("nobody", 1.0)
    assert ears.labels == [("auto", "feedback", False)]
    await asyncio.to_thread(made.close)


@pytest.mark.parametrize("seconds", [5.0, 0.01], ids=["still waiting", "stored"])
async def test_a_key_says_nothing_of_another_keys_answer(tmp_path: Path, seconds: float) -> None:
    ears = Ears()
    made = recorder(database(tmp_path), ears, seconds=seconds)
    asked, came = kept_small("a")
    made.observe(replace(asked, owner="payroll"), came)
    made.observe(*kept_small("b"))
    while seconds < 1 and (made._queue or made._taken):
        await asyncio.sleep(0.01)
    assert not await made.feedback("a", 0.0, owner="search")
    assert await made.feedback("a", 1.0, owner="payroll")
    assert await made.feedback("b", 1.0, owner="payroll")
    assert await made.feedback("a", 0.0)
    await asyncio.to_thread(made.close)
    assert ears.labels == [("auto", "feedback", True), ("auto", "feedback", True), ("auto", "feedback", False)]


async def test_a_lost_store_asks_the_client_to_come_back() -> None:
    made = recorder(Fickle(StoreLost("gone")))
    with pytest.raises(Overloaded, match="later"):
        await made.feedback("a", 1.0)
    made.close(0.1)


def test_labels_from_elsewhere_are_written_too() -> None:
    store = Fickle()
    made = recorder(store)
    made.label(label("a"))
    made.close()
    assert ids(store) == ["a"]


def test_several_workers_share_one_file(tmp_path: Path) -> None:
    ears = [Ears() for _ in range(4)]
    workers = [recorder(database(tmp_path), one, batch=20) for one in ears]
    for number in range(200):
        for place, worker in enumerate(workers):
            worker.observe(*kept_small(f"{place}-{number}"))
            worker.label(label(f"{place}-{number}"))
    for worker in workers:
        worker.close(20)
    assert [one.lost for one in ears] == [0] * 4
    assert len(stored(tmp_path)) == 800
