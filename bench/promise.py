"""How often thresholds break their promise over random splits: certified for the next requests, for the rate, and merely tuned ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.calibration.thresholds import fixed_sequence, naive

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RUNS = 200
Setter = Callable[[Floats, Bools], float | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """Records that the score was not fitted on: what is deferred first, whether the small tier is wrong, and the question asked."""

    order: Floats
    wrong: Bools
    keys: NDArray[np.str_]


def promises(judged: Judged, max_error: float, confidence: float, runs: int = RUNS) -> dict[str, dict[str, float]]:
    """By kind of threshold, the share of the runs in which it broke.

    `halves`: each run splits the records in two by question, sets the threshold on one half, and it breaks if the error among the kept of
    the other half is over the target. `truth`: each run draws half as many labels from all of them, with replacement, and it breaks if the
    error among the kept of all of them is over the target. `certified` is the share of runs with any threshold, `kept` the mean share that
    those keep.
    """
    return {kind: _broken(judged, runs, _setter(kind, max_error, confidence), max_error) for kind in ("next", "rate", "tuned")}


def _setter(kind: str, max_error: float, confidence: float) -> Setter:
    def certified(order: Floats, wrong: Bools) -> float | None:
        found = fixed_sequence(order, wrong, max_error, confidence, "next" if kind == "next" else "rate")
        return None if found is None else found.limit

    return (lambda order, wrong: naive(order, wrong, max_error)) if kind == "tuned" else certified


def _broken(judged: Judged, runs: int, setter: Setter, max_error: float) -> dict[str, float]:
    size, everything = len(judged.order), np.ones(len(judged.order), dtype=np.bool_)
    _, question = np.unique(judged.keys, return_inverse=True)
    halves, truth, kept = 0, 0, []
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        drawn = generator.integers(size, size=size // 2)
        limit = setter(judged.order[drawn], judged.wrong[drawn])
        truth += limit is not None and _error(judged, everything, limit) > max_error
        kept += [] if limit is None else [float((judged.order <= limit).mean())]
        ours = (generator.permutation(int(question.max()) + 1) % 2 == 0)[question]
        limit = setter(judged.order[ours], judged.wrong[ours])
        halves += limit is not None and _error(judged, ~ours, limit) > max_error
    return {"halves": halves / runs, "truth": truth / runs, "certified": len(kept) / runs, "kept": float(np.mean(kept)) if kept else 0.0}


def _error(judged: Judged, members: Bools, limit: float) -> float:
    kept = members & (judged.order <= limit)
    return float(judged.wrong[kept].mean()) if kept.any() else 0.0
