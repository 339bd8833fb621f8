"""Whether a route still keeps its promise: pure, so that any worker can take the watch over from the labels alone.

Two betting processes run side by side over windows of labels, the newer one started when the older is half through: a world that turns
bad late is seen as soon as one that was bad from the start. Process k is held to delta / (k (k + 1)), so all of them together break with
probability at most delta. Only labels of kept answers that were drawn at random speak of the kept error; all labels speak of the
calibration.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from router.calibration.betting import Bets
from router.calibration.drift import Drift, Reference, calibration_error, drift

ESCALATE_ALL = 2.0
"""A floor that no confidence reaches."""

Cause = Literal["error", "drift"]


@dataclass(frozen=True, slots=True)
class Label:
    """One judged draft: `wrong` is 0..1, `weight` the inverse of the probability that it was labelled.

    `kept` says whether the verifiers kept it, `counts` whether it was drawn at random and so speaks of the kept error.
    """

    wrong: float
    weight: float = 1.0
    kept: bool = True
    confidence: float | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """What the operator was promised: at most `max_error` wrong among the kept, with probability `confidence`."""

    max_error: float = 0.05
    confidence: float = 0.95

    @property
    def delta(self) -> float:
        return 1.0 - self.confidence


@dataclass(frozen=True, slots=True)
class Limits:
    """`window` is in labels of kept answers; drift trips only past `psi` with a p-value under `ks`, on at least `least` values."""

    window: int = 1000
    psi: float = 0.25
    ks: float = 0.01
    least: int = 300
    unseen: float = 0.5


@dataclass(frozen=True, slots=True)
class Process:
    """One window's bets; the first process is number 1."""

    number: int = 1
    bets: Bets = field(default_factory=Bets)
    labels: tuple[Label, ...] = ()

    def delta(self, whole: float) -> float:
        """This process's share of the whole probability of error."""
        return whole / (self.number * (self.number + 1))

    def add(self, label: Label, largest: float) -> "Process":
        """One label more."""
        return replace(self, bets=self.bets.add(label.wrong, label.weight / largest), labels=(*self.labels, label))


@dataclass(frozen=True, slots=True)
class State:
    """What was seen on a route since its threshold last changed; `largest` is the greatest weight a label of a kept answer can have."""

    largest: float = 1.0
    limits: Limits = field(default_factory=Limits)
    older: Process = field(default_factory=Process)
    newer: Process | None = None
    judged: tuple[Label, ...] = ()
    drift: Drift | None = None
    values: int = 0

    def add(self, label: Label) -> "State":
        """One label more; raises ValueError where its weight is greater than the largest."""
        judged = (*self.judged, label)[-2 * self.limits.window :] if label.confidence is not None else self.judged
        state = replace(self, judged=judged)
        return state._bet(label) if label.kept and label.counts else state

    def seen(self, reference: Reference, confidences: Sequence[float], families: Sequence[str] = ()) -> "State":
        """With the drift of the latest confidences, labelled or not."""
        return replace(self, drift=drift(reference, confidences, families), values=len(confidences))

    def upper(self, target: Target) -> float:
        """The kept error is at most this, at every time, with the target's confidence; 1.0 without labels."""
        return min(process.bets.upper(process.delta(target.delta)) for process in self._processes)

    def lower(self, target: Target) -> float:
        """The kept error is at least this, in the same sense."""
        return max(process.bets.lower(process.delta(target.delta)) for process in self._processes)

    def broken(self, target: Target) -> bool:
        """Whether the labels refute that the kept error is at most the target's; a false alarm has probability at most delta."""
        return any(p.bets.log_capital_above(target.max_error) >= -math.log(p.delta(target.delta)) for p in self._processes)

    @property
    def error(self) -> float | None:
        """The observed kept error of the older window; `None` without labels."""
        return self.older.bets.mean

    @property
    def labels(self) -> int:
        """Labels that the bound rests on."""
        return self.older.bets.labels

    @property
    def calibration_error(self) -> float | None:
        """The live ECE over the latest labelled drafts; `None` where none had a confidence."""
        pairs = [(label.confidence, 1.0 - label.wrong, label.weight) for label in self.judged if label.confidence is not None]
        return calibration_error([pair[0] for pair in pairs], [pair[1] for pair in pairs], [pair[2] for pair in pairs])

    @property
    def drifted(self) -> bool:
        """Whether the scores, or the families of requests, are no longer those of the fit."""
        if self.drift is None or self.values < self.limits.least:
            return False
        moved = self.drift.psi > self.limits.psi and self.drift.p_value < self.limits.ks
        return moved or self.drift.unseen > self.limits.unseen

    @property
    def _processes(self) -> tuple[Process, ...]:
        return (self.older,) if self.newer is None else (self.older, self.newer)

    def _bet(self, label: Label) -> "State":
        older, newer, half = self.older.add(label, self.largest), self.newer, self.limits.window // 2
        newer = newer.add(label, self.largest) if newer else None
        if older.bets.labels >= self.limits.window and newer is not None:
            older, newer = newer, None
        if newer is None and older.bets.labels >= half:
            newer = Process(older.number + 1)
        return replace(self, older=older, newer=newer)


def fold(state: State, labels: Iterable[Label], target: Target) -> tuple[State, bool]:
    """All labels in order, and whether the promise was seen broken after any of them."""
    tripped = False
    for label in labels:
        state = state.add(label)
        tripped = tripped or (label.kept and label.wrong > 0 and state.broken(target))
    return state, tripped


@dataclass(frozen=True, slots=True)
class Change:
    """A safer threshold: keep only drafts whose confidence is at least `floor`."""

    floor: float
    cause: Cause
    reason: str


def tighten(state: State, target: Target, floor: float = 0.0, *, tripped: bool = False) -> Change | None:
    """The change that the state demands of a route whose floor is `floor`; `None` while the promise stands. A floor is never lowered.

    After a broken promise: the lowest floor that the recent labels themselves vouch for, and where there is none everything escalates.
    After a drift that no label vouches against: the more confident half, and the second time everything.
    """
    if floor >= ESCALATE_ALL:
        return None
    if tripped or state.broken(target):
        return _after_error(state, target, floor)
    if state.drifted and state.upper(target) > target.max_error:
        return _after_drift(state, floor)
    return None


def _after_error(state: State, target: Target, floor: float) -> Change:
    recent = state.newer if state.newer is not None and state.newer.labels else state.older
    found = _vouched(recent.labels, state.largest, target)
    safer = found if found is not None and found > floor else ESCALATE_ALL
    seen = f"kept error {state.error or 0.0:.1%} on {state.labels} labels, over the target of {target.max_error:.1%}"
    return Change(safer, "error", f"{seen}; {_meaning(safer)}")


def _after_drift(state: State, floor: float) -> Change:
    kept = sorted(label.confidence for label in state.judged if label.kept and label.confidence is not None)
    middle = kept[len(kept) // 2] if kept and floor == 0.0 else ESCALATE_ALL
    safer = middle if middle > floor else ESCALATE_ALL
    psi, unseen = (state.drift.psi, state.drift.unseen) if state.drift else (0.0, 0.0)
    return Change(safer, "drift", f"scores drifted (PSI {psi:.2f}, {unseen:.0%} unseen families); {_meaning(safer)}")


def _meaning(floor: float) -> str:
    return "everything escalates until the route is fitted again" if floor >= ESCALATE_ALL else f"only confidence from {floor:.3f} is kept"


def _vouched(labels: Sequence[Label], largest: float, target: Target, start: float = 0.3, step: float = 0.05) -> float | None:
    """The lowest confidence above which the labels certify the target: a fixed sequence from the most confident `start` upwards.

    Betting tests stay valid at the random time at which they are asked (optional stopping), which an exact binomial test would not.
    """
    ordered = sorted(((label.confidence, label) for label in labels if label.confidence is not None), key=lambda pair: -pair[0])
    found, bets, taken = None, Bets(), 0
    for share in range(round((1.0 - start) / step) + 1):
        upto = math.ceil((start + share * step) * len(ordered) - 1e-9)
        for _, label in ordered[taken:upto]:
            bets = bets.add(label.wrong, label.weight / largest)
        taken = upto
        if not taken or bets.upper(target.delta) > target.max_error:
            break
        found = ordered[taken - 1][0]
    return found
