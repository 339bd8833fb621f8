"""The wall clock jumps: nothing is thrown away for it, and nobody is locked out."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

from server.observers.outcomes.encoding import Encoder
from server.observers.outcomes.ports import Retention, Written
from server.observers.outcomes.recorder import Bounds, Recorder
from tests.server.observers.outcomes.made import Ears, database, kept_small

YEARS = 10 * 365 * 86_400.0
BOUNDS = Bounds(seconds=0.01, trim_every=0.2, trim_first=0.2)


class Counting:
    """A store that remembers when it was trimmed."""

    def __init__(self) -> None:
        self.trimmed: list[float] = []

    def write(self, entries: Any) -> Any:  # noqa: ARG002
        return Written()

    def trim(self, retention: Retention, now: float) -> int:  # noqa: ARG002
        self.trimmed.append(now)
        return 0

    def close(self) -> None:
        pass


def test_what_looks_old_only_since_the_clock_jumped_is_not_deleted_at_once() -> None:
    store, ears, jumped = Counting(), Ears(), [0.0]
    made = Recorder(store, Encoder(), lambda: time.time() + jumped[0], ears.told(), BOUNDS)  # type: ignore[arg-type]
    made.observe(*kept_small("a"))
    while not store.trimmed:
        time.sleep(0.01)
    jumped[0] = YEARS
    while not any("clock" in line for line in ears.lines):
        time.sleep(0.01)
    assert all(at < time.time() + YEARS / 2 for at in store.trimmed)
    while max(store.trimmed) < time.time() + YEARS / 2:
        time.sleep(0.01)
    made.close()


def test_what_looks_old_to_a_clock_that_is_wrong_from_the_start_is_not_deleted_before_it_is_set_right() -> None:
    store, ears, wrong = Counting(), Ears(), [YEARS]
    made = Recorder(store, Encoder(), lambda: time.time() + wrong[0], ears.told(), BOUNDS)  # type: ignore[arg-type]
    made.observe(*kept_small("a"))
    while made._looked is None:
        time.sleep(0.01)
    wrong[0] = 0.0
    while not store.trimmed:
        time.sleep(0.01)
    made.close()
    assert any("clock" in line for line in ears.lines)
    assert all(at < time.time() + YEARS / 2 for at in store.trimmed)


def test_a_lease_of_the_far_future_is_no_lease(tmp_path: Path) -> None:
    with closing(database(tmp_path)) as store:
        now = time.time()
        assert store.lease("watch", "a", 30.0, now + YEARS)
        assert store.lease("watch", "b", 30.0, now)
        assert not store.lease("watch", "c", 30.0, now + 10)
