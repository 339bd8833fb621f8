"""From the hot path to the store: a bounded queue and one thread, which writes in batches and outlives a lost database."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from router.errors import Overloaded
from router.types import GenerationRequest, Outcome
from server.observers.outcomes.encoding import Encoder, dumped
from server.observers.outcomes.labelling import escalated
from server.observers.outcomes.ports import Entry, Feedback, Label, Retention, Store, StoreLost, Unfit, Written

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
    """What may wait, in entries and about in characters; how long a batch grows, and the longest pause between tries of a lost store.

    The store is trimmed first after `trim_first` seconds: a clock that was wrong at boot is mostly set right by then, which is seen.
    """

    entries: int = 10_000
    characters: int = 64_000_000
    batch: int = 256
    seconds: float = 0.1
    patience: float = 5.0
    trim_every: float = 3600.0
    trim_first: float = 600.0


class Observed(NamedTuple):
    """An outcome that waits to be encoded; `size` is in characters."""

    request: GenerationRequest
    outcome: Outcome
    at: float
    size: int


Waiting = Observed | Label | Feedback


@dataclass(slots=True)
class Recorder:
    """Observes outcomes and takes labels; the thread starts with the first of them and ends with `close`."""

    store: Store
    encoder: Encoder
    wall: Callable[[], float] = time.time
    told: Told = field(default=Told())
    bounds: Bounds = field(default=Bounds())
    retention: Retention = field(default=Retention())
    _queue: deque[Waiting] = field(default_factory=deque, init=False)
    _size: int = field(default=0, init=False)
    _taken: int = field(default=0, init=False)
    _pending: dict[str, str] = field(default_factory=dict, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _closing: float | None = field(default=None, init=False)
    _looked: tuple[float, float] | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Queue an outcome; beyond the bound it is lost and counted."""
        self._put(Observed(request, outcome, self.wall(), _characters(request, outcome)), {outcome.request_id: request.owner})

    def label(self, label: Label) -> None:
        """Queue a label."""
        self._put(label)

    async def feedback(self, response_id: str, correct: float, expected: object = None, owner: str | None = None) -> bool:
        """Join what a client says to its response; false where no such response is known, or none of this `owner`'s.

        Raises Overloaded where the store cannot tell.

        A response of another worker may still wait in that worker's queue, so an unknown one is looked up once more a little later.
        """
        detail = dumped({"expected": expected}) if self.encoder.content and expected is not None else None
        said = Feedback(response_id, correct, self.wall(), detail, owner)
        with self._changed:
            whose = self._pending.get(response_id)
        if whose is not None:
            return (owner is None or whose in ("", owner)) and (self._put(said) or _unreachable())
        try:
            return await asyncio.to_thread(self._known, said) or await self._later(said)
        except StoreLost:
            return _unreachable()

    def close(self, deadline: float = 5.0) -> None:
        """Write what waits, for at most `deadline` seconds; what is left then is lost and counted."""
        with self._changed:
            self._closing = time.monotonic() + deadline
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(deadline + self.bounds.seconds)
        with self._changed:
            left = len(self._queue) + (self._taken if thread is not None and thread.is_alive() else 0)
            self._queue.clear()
        self._lose(left, "the server stopped before the store took them")
        self.store.close()

    def _put(self, entry: Waiting, owners: Mapping[str, str] = MappingProxyType({})) -> bool:
        size = entry.size if isinstance(entry, Observed) else 0
        with self._changed:
            fits = len(self._queue) < self.bounds.entries and self._size + size <= self.bounds.characters and self._closing is None
            if fits:
                self._queue.append(entry)
                self._size += size
                self._pending |= owners
                self._start()
                if len(self._queue) in (1, self.bounds.batch):  # waking the thread for each would cost the hot path a switch a request
                    self._changed.notify()
        if not fits:
            self.told.lost(1)
        return fits

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="smallfirst-outcomes", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (batch := self._take()) is not None:
            if batch:
                self._write([entry for waiting in batch for entry in self._encoded(waiting)])
                self._forget(batch)
            self._trim()

    def _take(self) -> list[Waiting] | None:
        """The next batch; empty when it is time to look after the store, `None` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing is not None, max(0.01, self._due - time.monotonic()))
            if self._closing is None and self._queue:
                self._changed.wait_for(lambda: len(self._queue) >= self.bounds.batch or self._closing is not None, self.bounds.seconds)
            if not self._queue and self._closing is not None:
                return None
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self.bounds.batch))]
            self._taken = len(batch)
            return batch

    def _encoded(self, waiting: Waiting) -> Sequence[Entry]:
        if not isinstance(waiting, Observed):
            return [waiting]
        try:
            row = self.encoder.row(waiting.request, waiting.outcome, waiting.at)
            return [row, *escalated(waiting.request, waiting.outcome, waiting.at)]
        except Exception as error:  # noqa: BLE001  # the thread's last resort: a bug on one outcome must not cost all later ones
            self._lose(1, f"an outcome could not be encoded: {type(error).__name__}: {error}")
            return []

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
        with self._changed:
            if self._closing is None:
                self._changed.wait(pause)
                return True
            left = self._closing - time.monotonic()
        time.sleep(max(0.0, min(pause, left)))
        return left > 0

    def _forget(self, batch: Sequence[Waiting]) -> None:
        with self._changed:
            self._taken = 0
            for waiting in batch:
                if isinstance(waiting, Observed):
                    self._size -= waiting.size
                    self._pending.pop(waiting.outcome.request_id, None)

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


def _characters(request: GenerationRequest, outcome: Outcome) -> int:
    """About how much memory an outcome holds; tokens with their alternatives, and features, weigh more than their text."""
    asked = sum(len(part.text) + len(part.payload) for message in request.messages for part in message.parts)
    drafts = [choice for attempt in outcome.attempts if attempt.generation for choice in attempt.generation.choices]
    judged = sum(len(verdict.features or ()) for attempt in outcome.attempts for verdict in attempt.verdicts)
    return asked + 100 * judged + sum(len(choice.text) + 100 * len(choice.tokens) for choice in drafts)


def _unreachable() -> bool:
    raise Overloaded("the outcome store cannot be reached now; try again later", retry_after=5.0)
