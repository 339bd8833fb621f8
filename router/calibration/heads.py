"""Fitting the logistic heads with scikit-learn."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.calibration.asked import REQUEST_FEATURES
from router.calibration.examples import Example
from router.calibration.linear import CROSSED, Head, HeadSet, buckets

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
STRENGTHS = (0.3, 2.0, 10.0)
FOLDS = 3


@dataclass(frozen=True, slots=True)
class Heads:
    """What can be said before generation of small and large, and after it of the answer beside the words."""

    pair: tuple[Head, Head | None] | None
    answered: Head | None

    def scores(self, examples: Iterable[Example]) -> list[dict[str, float]]:
        """Their log-odds as features."""
        compiled = HeadSet.of(self.pair, self.answered)
        return [compiled.scores(one.found, one.grams) for one in examples]


@dataclass(frozen=True, slots=True)
class _Design:
    """Examples as rows: named request features brought to one size, and hashed words."""

    matrix: Any
    columns: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    buckets: int


@dataclass(frozen=True, slots=True)
class _Task:
    """One thing to predict, and how strongly its weights may grow."""

    design: _Design
    right: Bools
    weights: Floats
    strength: float = 1.0

    def fitted(self, places: Places) -> Head | None:
        """The head of the examples at `places`; `None` where they are all alike."""
        right = self.right[places]
        if right.all() or not right.any():
            return None
        model = _logistic(self, places)
        learned = dict(zip(self.design.columns, model.coef_[0].tolist(), strict=True))
        return Head(
            REQUEST_FEATURES,
            self.design.means,
            self.design.scales,
            tuple(round(learned.get(f"d{place}", 0.0), 6) for place in range(len(REQUEST_FEATURES))),
            tuple(round(learned.get(str(bucket), 0.0), 4) for bucket in range(self.design.buckets)),
            float(model.intercept_[0]),
        )


def fit_heads(
    examples: Sequence[Example], folds: Places, right: Bools, large: Bools | None, weights: Floats
) -> tuple[Heads, list[dict[str, float]]]:
    """Heads fitted on all examples, and what heads that never saw an example's fold say of it; `folds` are 0, 1, 2."""
    plain, crossed = _design(examples, crossed=False), _design(examples, crossed=True)
    small = _Task(plain, right, weights, _strength(_Task(plain, right, weights), folds))
    big = None if large is None else _Task(plain, large, weights, _strength(_Task(plain, large, weights), folds))
    beside = None if crossed is None else _Task(crossed, right, weights, _strength(_Task(crossed, right, weights), folds))
    scores: list[dict[str, float]] = [{} for _ in examples]
    for fold in range(FOLDS):
        outside = np.flatnonzero(folds == fold).tolist()
        said = _fitted(small, big, beside, np.flatnonzero(folds != fold)).scores(examples[place] for place in outside)
        for place, score in zip(outside, said, strict=True):
            scores[place] = score
    return _fitted(small, big, beside, np.arange(len(examples))), scores


def _fitted(small: _Task, large: _Task | None, beside: _Task | None, places: Places) -> Heads:
    first = small.fitted(places)
    pair = None if first is None else (first, None if large is None else large.fitted(places))
    return Heads(pair, None if beside is None else beside.fitted(places))


def _strength(task: _Task, folds: Places) -> float:
    """The strength with the least logistic loss on one held-out fold."""
    inside, outside = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    if not len(outside) or len(set(task.right[inside].tolist())) < 2:
        return STRENGTHS[0]
    losses = []
    for strength in STRENGTHS:
        model = _logistic(_Task(task.design, task.right, task.weights, strength), inside)
        odds = model.decision_function(task.design.matrix[outside])
        losses.append(float(np.average(np.logaddexp(0, np.where(task.right[outside], -odds, odds)), weights=task.weights[outside])))
    return STRENGTHS[int(np.argmin(losses))]


def _logistic(task: _Task, places: Places) -> Any:
    from sklearn.linear_model import LogisticRegression

    model: Any = LogisticRegression(C=task.strength, solver="liblinear", tol=1e-3, random_state=0)
    return model.fit(task.design.matrix[places], task.right[places], sample_weight=task.weights[places])


def _design(examples: Sequence[Example], *, crossed: bool) -> Any:
    """Rows of the examples, with the words beside the answer or without; `None` if there are none. Buckets grow with the labels."""
    from sklearn.feature_extraction import DictVectorizer

    words = [one.grams if crossed else [gram for gram in one.grams if not gram.startswith(CROSSED)] for one in examples]
    if crossed and not any(gram.startswith(CROSSED) for found in words for gram in found):
        return None
    count = 2 ** min(14, max(10, int(math.log2(len(examples))) + 2))
    dense = np.array([[one.found.get(name, 0.0) for name in REQUEST_FEATURES] for one in examples])
    means, scales = dense.mean(axis=0), np.maximum(dense.std(axis=0), 1e-6)
    scaled = np.clip((dense - means) / scales, -5, 5)
    used = [buckets(found, count) for found in words]
    rows = [
        {f"d{place}": float(value) for place, value in enumerate(values)} | {str(bucket): 1 / math.sqrt(len(found)) for bucket in found}
        for values, found in zip(scaled, used, strict=True)
    ]
    names = DictVectorizer()
    matrix = names.fit_transform(rows)
    return _Design(matrix, tuple(names.get_feature_names_out()), tuple(means.tolist()), tuple(scales.tolist()), count)
