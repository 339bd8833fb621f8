"""Thresholds that keep a promise: fixed-sequence testing with exact binomial tails (Learn then Test, arXiv 2110.01052)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

START, STEP = 0.30, 0.01


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Threshold:
    """Keep what scores at most `limit`: of the `labels` that it was tested on, `kept` were under it and `wrong` of those wrong.

    `bound` is the exact upper bound on the kept error at the stated confidence.
    """

    limit: float
    labels: int
    kept: int
    wrong: int
    bound: float


def fixed_sequence(scores: Floats, wrong: Bools, max_error: float, confidence: float, start: float = START) -> Threshold | None:
    """The highest threshold whose kept error is at most `max_error` with probability `confidence`; `None` where nothing passes.

    `scores` (higher is less sure) and `wrong` are labelled outcomes that the score was not fitted on. The walk is fixed beforehand:
    quantiles of the score from the most confident `start` upwards in steps of one percent; it stops at the first that fails.
    """
    ordered = np.sort(scores)
    errors = np.concatenate([[0], np.cumsum(wrong[np.argsort(scores, kind="stable")])])
    passed: tuple[float, int, int] | None = None
    for share in np.arange(start, 1.0 + STEP / 2, STEP):
        if not len(ordered):
            break
        limit = float(ordered[min(len(ordered), max(1, math.ceil(share * len(ordered) - 1e-9))) - 1])
        kept = int(np.searchsorted(ordered, limit, side="right"))
        bad = int(errors[kept])
        if binomial_tail(bad, kept, max_error) > 1 - confidence:
            break
        passed = limit, kept, bad
    if passed is None:
        return None
    limit, kept, bad = passed
    return Threshold(limit, len(ordered), kept, bad, upper_bound(bad, kept, confidence))


def naive(scores: Floats, wrong: Bools, max_error: float) -> float | None:
    """The highest threshold whose observed kept error is at most `max_error`: it breaks that half of the time. For comparison only."""
    order = np.argsort(scores, kind="stable")
    errors = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(errors <= max_error)
    return float(scores[order[good[-1]]]) if len(good) else None


def binomial_tail(k: int, n: int, p: float) -> float:
    """P(Bin(n, p) <= k)."""
    if k >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    logs = [_log_choose(n, i) + i * math.log(p) + (n - i) * math.log1p(-p) for i in range(k + 1)]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(value - top) for value in logs))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def upper_bound(wrong: int, kept: int, confidence: float) -> float:
    """The exact (Clopper-Pearson) one-sided upper bound on an error rate; 1.0 with nothing kept."""
    if wrong >= kept:
        return 1.0
    low, high = wrong / kept, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_tail(wrong, kept, middle) > 1 - confidence else (low, middle)
    return high


def thinned(weights: Sequence[float], seed: int = 0) -> Bools:
    """Which records to test on when they carry importance weights: each stays with probability weight / largest, so the rest is plain."""
    given = np.asarray(weights, dtype=np.float64)
    draws = np.random.default_rng(seed).random(len(given))
    return draws <= given / max(float(given.max(initial=0.0)), 1e-300)
