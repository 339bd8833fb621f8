"""From a raw score to a probability: Platt's logistic map or an isotonic one (Platt 1999; Zadrozny and Elkan 2002)."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

Floats = NDArray[np.float64]
ISOTONIC_FROM, FOLDS = 1000, 5


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Platt:
    """P = 1 / (1 + exp(-(slope * score + offset)))."""

    slope: float
    offset: float

    def __call__(self, score: float) -> float:
        return sigmoid(self.slope * score + self.offset)


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Isotonic:
    """Straight lines between knots (`scores` rising, `values` never falling), flat beyond them."""

    scores: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, score: float) -> float:
        at = bisect_right(self.scores, score)
        if at == 0:
            return self.values[0]
        if at == len(self.scores):
            return self.values[-1]
        left, right = self.scores[at - 1], self.scores[at]
        return self.values[at - 1] + (self.values[at] - self.values[at - 1]) * (score - left) / (right - left)


Map = Platt | Isotonic


def sigmoid(value: float) -> float:
    """The logistic function, for any finite value."""
    return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))


def logit(p: float, floor: float = 1e-4) -> float:
    """Log-odds of a probability kept `floor` away from 0 and 1."""
    kept = min(max(p, floor), 1.0 - floor)
    return math.log(kept / (1.0 - kept))


def fit_map(scores: Floats, happened: Sequence[bool] | NDArray[np.bool_]) -> Map:
    """Platt's, or from 1,000 labels the isotonic one where it is better by more than the standard error of the difference.

    It follows any bend, but also the noise of the labels; better is the logistic loss of records that the map was not fitted on. `scores`
    must come from folds that their model was not fitted on.
    """
    labels = np.asarray(happened, dtype=np.float64)
    return _isotonic(scores, labels) if len(scores) >= ISOTONIC_FROM and _bent(scores, labels) else platt(scores, labels)


def _bent(scores: Floats, labels: Floats) -> bool:
    folds = np.random.default_rng(0).permutation(len(scores)) % FOLDS
    better = np.zeros(len(scores))
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        if 0.0 < labels[inside].mean() < 1.0:
            smooth, free = (kind(scores[inside], labels[inside]) for kind in (platt, _isotonic))
            better[outside] = _losses(smooth, scores[outside], labels[outside]) - _losses(free, scores[outside], labels[outside])
    return bool(better.mean() > better.std(ddof=1) / math.sqrt(len(better)))


def _losses(mapped: Map, scores: Floats, labels: Floats) -> Floats:
    p = np.clip([mapped(score) for score in scores.tolist()], 1e-9, 1.0 - 1e-9)
    found: Floats = -np.where(labels > 0.5, np.log(p), np.log1p(-p))
    return found


def platt(scores: Floats, labels: Floats) -> Platt:
    """Newton's method on Platt's smoothed targets, with a slope that never falls; `labels` are 0 or 1."""
    positives = float(labels.sum())
    targets = np.where(labels > 0.5, (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2))
    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    inputs = np.stack([(scores - centre) / spread, np.ones_like(scores)], axis=1)
    weights = np.array([0.0, logit(float(targets.mean()))])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        curvature = inputs.T @ (inputs * (p * (1 - p))[:, None]) + 1e-6 * np.eye(2)
        weights = weights - np.linalg.solve(curvature, inputs.T @ (p - targets) + 1e-6 * weights)
    slope = max(float(weights[0]), 0.0) / spread
    return Platt(slope, float(weights[1]) - slope * centre)


def _isotonic(scores: Floats, labels: Floats) -> Isotonic:
    """Pool adjacent violators, the blocks' means shrunk towards the overall rate by one label, knots at the blocks' mean scores."""
    blocks: list[list[float]] = []
    for score, label in sorted(zip(scores.tolist(), labels.tolist(), strict=True)):
        blocks.append([score, label, 1.0])
        while len(blocks) > 1 and (
            blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2] or blocks[-2][0] / blocks[-2][2] >= blocks[-1][0] / blocks[-1][2]
        ):
            last = blocks.pop()
            blocks[-1] = [one + other for one, other in zip(blocks[-1], last, strict=True)]
    rate = float(labels.mean())
    knots = [(total / count, (happened + rate) / (count + 1)) for total, happened, count in blocks]
    return Isotonic(tuple(knot[0] for knot in knots), tuple(np.maximum.accumulate([knot[1] for knot in knots]).tolist()))
