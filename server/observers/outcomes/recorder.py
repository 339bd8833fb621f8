"""From the hot path to the store: a bounded queue and one thread, which writes in batches and outlives a lost database."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from router.errors import Overloaded
from router.types import GenerationRequest, Outcome
from server.observers.outcomes.encoding import Encoder, dumped
from server.observers.outcomes.labelling import escalated
from server.observers.outcomes.ports import Entry, Feedback, Label, Retention, Row, Store, StoreLost, Unfit, Written

JUMP = 600.0
"""Seconds that the wall clock may gain on the monotonic one between two trims."""


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told what: entries that were lost, labels that are new (route, source, success), and sentences for the log."""

    lost: Callable[[int], None] = lambda count: None
    labelled: Callable[[str, str, bool], None] = lambda route, source, success: None
    log: Callable[[str], object] = lambda sentence: None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may wait, in entries and in characters of JSON; how long a batch grows, and the longest pause between tries of a lost store.

    The store is trimmed first after `trim_first` seconds: a clock that was wrong at boot is mostly set right by then, which is seen.
    """

    entries: int = 10_000
    characters: int = 64_000_000
    batch: int = 256
    seconds: float = 0.1
    patience: float = 5.0
    trim_every: float = 3600.0
    trim_first: float = 600.0


@dataclass(slots=True)
class Recorder:
    """Observes outcomes and takes labels; the thread starts with the first of them and ends with `close`."""

    store: Store
    encoder: Encoder
    wall: Callable[[], float] = time.time
    told: Told = field(default=Told())
    bounds: Bounds = field(default=Bounds())
    retention: Retention = field(default=Retention())
    _queue: list[Entry] = field(default_factory=list, init=False)
    _size: int = field(default=0, init=False)
    _taken: Sequence[Entry] = field(default=(), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _changed: threading.Condition = field(init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _closing: float | None = field(default=None, init=False)
    _looked: tuple[float, float] | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._changed = threading.Condition(self._lock)

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Queue an outcome's row and labels; beyond the bound they are lost and counted.

        They are made at once: outcomes with all their tokens that waited for a thread would be so much memory that every later request
        finds its caches cold.
        """
        at = self.wall()
        try:
            entries: tuple[Entry, ...] = (self.encoder.row(request, outcome, at), *escalated(request, outcome, at))
        except Exception as error:  # noqa: BLE001  # a bug in what is only written down must not cost the client its answer
            self._lose(1, f"an outcome could not be encoded: {type(error).__name__}: {error}")
        else:
            self._put(entries)

    def label(self, label: Label) -> None:
        """Queue a label."""
        self._put((label,))

    async def feedback(self, response_id: str, correct: float, expected: object = None, owner: str | None = None) -> bool:
        """Join what a client says to its response; false where no such response is known, or none of this `owner`'s.

        Raises Overloaded where the store cannot tell.

        A response of another worker may still wait in that worker's queue, so an unknown one is looked up once more a little later.
        """
        detail = dumped({"expected": expected}) if self.encoder.content and expected is not None else None
        said = Feedback(response_id, correct, self.wall(), detail, owner)
        whose = self._waiting(response_id)
        if whose is not None:
            return (owner is None or whose in ("", owner)) and (self._put((said,)) or _unreachable())
        try:
            return await asyncio.to_thread(self._known, said) or await self._later(said)
        except StoreLost:
            return _unreachable()

    def close(self, deadline: float = 5.0) -> None:
        """Write what waits, for at most `deadline` seconds; what is left then is lost and counted."""
        with self._lock:
            self._closing = time.monotonic() + deadline
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(deadline + self.bounds.seconds)
        with self._lock:
            left = len(self._queue) + (len(self._taken) if thread is not None and thread.is_alive() else 0)
            self._queue.clear()
        self._lose(left, "the server stopped before the store took them")
        self.store.close()

    def _put(self, entries: Sequence[Entry]) -> bool:
        """All of them or none."""
        bounds, queue, size = self.bounds, self._queue, sum(map(_size, entries))
        with self._lock:
            before, after = len(queue), len(queue) + len(entries)
            fits = self._closing is None and after <= bounds.entries and self._size + size <= bounds.characters
            if fits:
                queue += entries
                self._size += size
                if not before or before < bounds.batch <= after:  # waking the thread for each would cost a switch a request
                    self._wake()
        if not fits:
            self.told.lost(len(entries))
        return fits

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="smallfirst-outcomes", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _waiting(self, response_id: str) -> str | None:
        """The owner of a row that is not written yet; `None` where there is no such row."""
        with self._lock:
            rows = [entry for entry in (*self._taken, *self._queue) if isinstance(entry, Row) and entry.response_id == response_id]
        return rows[0].owner if rows else None

    def _work(self) -> None:
        while (batch := self._take()) is not None:
            if batch:
                self._write(batch)
                self._forget(batch)
            self._trim()

    def _take(self) -> list[Entry] | None:
        """The next batch; empty when it is time to look after the store, `None` at the end."""
        with self._lock:
            self._changed.wait_for(lambda: self._queue or self._closing is not None, max(0.01, self._due - time.monotonic()))
            if self._closing is None and self._queue:
                self._changed.wait_for(lambda: len(self._queue) >= self.bounds.batch or self._closing is not None, self.bounds.seconds)
            if not self._queue and self._closing is not None:
                return None
            batch = self._taken = self._queue[: self.bounds.batch]
            del self._queue[: self.bounds.batch]
            return batch

    def _write(self, entries: Sequence[Entry]) -> None:
        """Until the store takes them, or the server stops and its deadline passes."""
        pause = self.bounds.seconds
        while entries:
            try:
                return self._tell(self.store.write(entries))
            except Unfit as refusal:
                return self._singly(entries, str(refusal))
            except StoreLost as loss:
                if not self._wait(pause, str(loss)):
                    return self._lose(len(entries), f"the store was lost: {loss}")
                pause = min(2 * pause, self.bounds.patience)
        return None

    def _singly(self, entries: Sequence[Entry], why: str) -> None:
        """One entry that the database refuses must not take the others with it."""
        if len(entries) == 1:
            return self._lose(1, f"the store refuses an entry: {why}")
        for entry in entries:
            self._write([entry])
        return None

    def _wait(self, pause: float, why: str) -> bool:
        """Whether there is still time to try again."""
        if pause == self.bounds.seconds:
            self.told.log(f"the outcome store cannot be reached, outcomes wait: {why}")
        with self._lock:
            if self._closing is None:
                self._changed.wait(pause)
                return True
            left = self._closing - time.monotonic()
        time.sleep(max(0.0, min(pause, left)))
        return left > 0

    def _forget(self, batch: Sequence[Entry]) -> None:
        with self._lock:
            self._taken = ()
            self._size -= sum(map(_size, batch))

    def _trim(self) -> None:
        """A clock that jumped forward makes everything look old, so what it says has to stand for one more round."""
        now, before = (time.monotonic(), self.wall()), self._looked
        if before is not None and now[0] < self._due:
            return
        self._looked, self._due = now, now[0] + (self.bounds.trim_first if before is None else self.bounds.trim_every)
        if before is None:
            return
        if abs((now[1] - before[1]) - (now[0] - before[0])) > JUMP:
            self.told.log("the clock has jumped: the outcome store is not trimmed this time")
            return
        try:
            self.store.trim(self.retention, now[1])
        except (StoreLost, Unfit) as loss:
            self.told.log(f"the outcome store could not be trimmed: {loss}")

    def _known(self, said: Feedback) -> bool:
        written = self.store.write([said])
        self._tell(written)
        return not written.unknown

    async def _later(self, said: Feedback) -> bool:
        await asyncio.sleep(3 * self.bounds.seconds)
        return await asyncio.to_thread(self._known, said)

    def _tell(self, written: Written) -> None:
        for label in written.labels:
            self.told.labelled(label.route, label.source, label.correct >= 0.5)

    def _lose(self, count: int, why: str) -> None:
        if count:
            self.told.lost(count)
            self.told.log(f"{count} entries of the outcome store were lost: {why}")


def _size(entry: Entry) -> int:
    """In characters; numbers and names are small beside texts."""
    return len(entry.body) + len(entry.content or "") if isinstance(entry, Row) else len(entry.detail or "")


def _unreachable() -> bool:
    raise Overloaded("the outcome store cannot be reached now; try again later", retry_after=5.0)
