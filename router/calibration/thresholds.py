"""Thresholds that keep a promise: fixed-sequence testing with exact tails (Learn then Test, arXiv 2110.01052).

A promise of the `rate` speaks of the share of wrong answers among all that will ever be kept, and is tested by a binomial tail. What an
operator counts is a finite run of requests, whose share varies around the rate: a promise of the `next` requests, as many as there were
labels, allows for that by a hypergeometric tail.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Promise = Literal["next", "rate"]

START, STEP = 0.30, 0.01


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Threshold:
    """Keep what scores at most `limit`: of the `labels` that it was tested on, `kept` were under it and `wrong` of those wrong.

    `bound` is the exact upper bound on the kept error at the stated confidence. Where a cost was the target, `cost` is the mean in dollars
    a request and `cost_bound` its upper bound at that confidence.
    """

    limit: float
    labels: int
    kept: int
    wrong: int
    bound: float
    cost: float | None = None
    cost_bound: float | None = None


def fixed_sequence(
    scores: Floats, wrong: Bools, max_error: float, confidence: float, promise: Promise = "next", start: float = START
) -> Threshold | None:
    """The highest threshold whose kept error is at most `max_error` with probability `confidence`; `None` where nothing passes.

    `scores` (higher is less sure) and `wrong` are labelled outcomes that the score was not fitted on. The walk is fixed beforehand:
    quantiles of the score from the most confident `start` upwards in steps of one percent; it stops at the first that fails.
    """
    tail = TAILS[promise]
    ordered = np.sort(scores)
    errors = np.concatenate([[0], np.cumsum(wrong[np.argsort(scores, kind="stable")])])
    passed: tuple[float, int, int] | None = None
    for share in np.arange(start, 1.0 + STEP / 2, STEP):
        if not len(ordered):
            break
        limit = float(ordered[min(len(ordered), max(1, math.ceil(share * len(ordered) - 1e-9))) - 1])
        kept = int(np.searchsorted(ordered, limit, side="right"))
        bad = int(errors[kept])
        if tail(bad, kept, max_error) > 1 - confidence:
            break
        passed = limit, kept, bad
    if passed is None:
        return None
    limit, kept, bad = passed
    return Threshold(limit, len(ordered), kept, bad, upper_bound(bad, kept, confidence))


@dataclass(frozen=True, slots=True)
class Paid:
    """Dollars of the small answer to each record, and of the large one where it is asked too."""

    small: Floats
    large: Floats


def within_cost(order: Floats, right: Floats, paid: Paid, max_cost: float, confidence: float, large: Floats) -> Threshold | None:
    """Of the thresholds whose mean cost a request is at most `max_cost` with probability `confidence`, the one of the best quality.

    `right` and `large` say how right the small and the large answer were. The walk is fixed beforehand: from keeping everything downwards
    in steps of one percent; it stops at the first whose empirical Bernstein bound fails, so all that pass hold at once. `None` where even
    keeping everything costs too much.
    """
    if not len(order):
        return None
    ordered, top = np.sort(order), float((paid.small + paid.large).max())
    best: tuple[float, float, float, float] | None = None
    for share in np.arange(1.0, -STEP / 2, -STEP):
        place = min(len(ordered), math.ceil(share * len(ordered) - 1e-9))
        limit = float(ordered[place - 1]) if place else math.nextafter(float(ordered[0]), -math.inf)
        kept = order <= limit
        spent = paid.small + np.where(kept, 0.0, paid.large)
        bound = mean_bound(spent, top, confidence)
        if bound > max_cost:
            break
        quality = float(np.where(kept, right, large).mean())
        if best is None or quality > best[0]:
            best = quality, limit, float(spent.mean()), bound
    if best is None:
        return None
    kept = order <= best[1]
    wrong = int((right[kept] < 0.5).sum())
    return Threshold(best[1], len(order), int(kept.sum()), wrong, upper_bound(wrong, int(kept.sum()), confidence), best[2], best[3])


def mean_bound(values: Floats, top: float, confidence: float) -> float:
    """An upper bound on the mean of values in 0..`top`: empirical Bernstein (Maurer and Pontil 2009, arXiv 0907.3740, theorem 4)."""
    count, log = len(values), math.log(2.0 / (1.0 - confidence))
    if count < 2:
        return top
    slack = math.sqrt(2.0 * float(values.var(ddof=1)) * log / count) + 7.0 * top * log / (3.0 * (count - 1))
    return float(values.mean()) + slack


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


def next_tail(k: int, n: int, p: float) -> float:
    """P(at most k wrong among n kept), where of the next n kept more than a share p are wrong: the largest it can be.

    Of the 2n kept, in whatever order they come, k and one more than p n are wrong, and which n come first is drawn: a hypergeometric tail.
    """
    if not n:
        return 1.0
    wrong = k + math.floor(p * n + 1e-9) + 1
    logs = [_log_choose(wrong, i) + _log_choose(2 * n - wrong, n - i) for i in range(max(0, wrong - n), k + 1)]
    return min(1.0, math.fsum(math.exp(value - _log_choose(2 * n, n)) for value in logs))


TAILS: Mapping[Promise, Callable[[int, int, float], float]] = {"rate": binomial_tail, "next": next_tail}
"""The largest probability of seeing at most k wrong among n kept where the promise of at most a share p does not hold."""


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
