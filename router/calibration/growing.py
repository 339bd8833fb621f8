"""Fitting one model of success: heads on the request and its words, then trees that see what the heads say of examples they did not see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router.calibration import training
from router.calibration.choosing import Part
from router.calibration.examples import Example
from router.calibration.features import FEATURES, vector
from router.calibration.heads import FOLDS as HEAD_FOLDS
from router.calibration.heads import Heads, fit_heads
from router.calibration.linear import HEAD_FEATURES
from router.calibration.stored import Ensemble

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Rows:
    """What trees are fitted on: features, the heads' scores among them, and what happened; `right` (the large tier) for the gain."""

    names: tuple[str, ...]
    table: Floats
    wrong: Bools
    right: Bools | None
    weights: Floats


def prepare(examples: Sequence[Example], *, gain: bool) -> tuple[Heads, Rows]:
    """Heads first; the trees see the heads' own out-of-fold scores."""
    wrong = np.array([one.wrong for one in examples])
    right = None if any(one.label.large is None for one in examples) else np.array([large_right(one) for one in examples])
    weights = weighed(examples)
    heads, scores = fit_heads(examples, drawn(examples, seed=1) % HEAD_FOLDS, ~wrong, right, weights)
    found = [dict(one.found) | score for one, score in zip(examples, scores, strict=True)]
    names = _telling(found)
    return heads, Rows(names, np.array([vector(one, names) for one in found]), wrong, right if gain else None, weights)


def large_right(one: Example) -> bool:
    """Whether the large tier answered rightly, as far as is known."""
    return (one.label.large or 0.0) >= 0.5


def weighed(examples: Sequence[Example]) -> Floats:
    """The labels' weights, with a mean of one."""
    weights = np.array([one.label.weight for one in examples])
    found: Floats = weights / weights.mean()
    return found


def ensembles(rows: Rows, happened: Bools, wanted: Sequence[Part]) -> dict[Part, Ensemble]:
    """The wanted ones; of one kind and number of leaves the fewer trees are the first of the more, so that each is grown once."""
    if happened.all() or not happened.any() or not rows.table.shape[1]:
        return dict.fromkeys(wanted, training.constant(float(happened.mean())))
    grow = {"boosted": training.boosted, "randomised": training.randomised}
    kinds = dict.fromkeys((part.kind, part.leaves) for part in wanted)
    grown = {(kind, leaves): grow[kind](rows.table, happened, rows.weights, leaves) for kind, leaves in kinds}
    return {part: replace(found := grown[part.kind, part.leaves], trees=found.trees[: part.trees]) for part in wanted}


def _telling(found: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Features with at least two known values here."""
    known = [name for name in FEATURES if any(name in one for one in found)]
    return tuple(name for name in known if len({value for one in found if (value := one.get(name, np.nan)) == value}) > 1)


def vectors(heads: Heads, examples: Sequence[Example], names: Sequence[str]) -> tuple[list[list[float]], Floats]:
    """Rows for the trees, and what the head on the small tier says."""
    said = heads.scores(examples)
    rows = [vector(dict(one.found) | head, names) for one, head in zip(examples, said, strict=True)]
    return rows, np.array([head.get(HEAD_FEATURES[0], 0.0) for head in said])


def drawn(examples: Sequence[Example], seed: int) -> Places:
    """A fold for every example, drawn by question."""
    keys = sorted({one.label.key for one in examples})
    numbers = np.random.default_rng(seed).permutation(len(keys)) * FOLDS // max(len(keys), 1)
    fold = dict(zip(keys, numbers.tolist(), strict=True))
    return np.array([fold[one.label.key] for one in examples], dtype=np.intp)


def at(examples: Sequence[Example], places: Places) -> list[Example]:
    """The examples at these places."""
    return [examples[place] for place in places.tolist()]
