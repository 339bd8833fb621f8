"""The models of success: heads, then trees on top of them, and held-out scores of the labelled examples.

The labels that a threshold is tested on are never those its score was fitted on: below 10,000 records every record is scored by a model
fitted without its fold (and the model that serves is fitted on all), from there on the model sees a fixed 60 % of the questions and the
threshold the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.calibration import training
from router.calibration.artifact import by_gain
from router.calibration.examples import Example
from router.calibration.features import FEATURES, vector
from router.calibration.heads import FOLDS as HEAD_FOLDS
from router.calibration.heads import Heads, fit_heads
from router.calibration.linear import HEAD_FEATURES
from router.calibration.options import Options, Progress
from router.calibration.stored import Ensemble
from router.calibration.trees import MOST_LEAVES, Forest

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
SPLIT_FROM, FOLDS, SHARE = 10_000, 5, 0.6
BOOSTED_FROM = 1000


@dataclass(frozen=True, slots=True)
class Model:
    """Fitted on some examples, able to score others."""

    features: tuple[str, ...]
    parts: tuple[Ensemble, ...]
    gain: tuple[Ensemble, ...]
    heads: Heads


@dataclass(frozen=True, slots=True)
class Scored:
    """Held-out log-odds of the examples at `places`."""

    places: Places
    wrong: Floats
    gain: Floats | None
    head: Floats

    @property
    def order(self) -> Floats:
        """What is deferred first: P(small wrong), or the gain."""
        if self.gain is None:
            return self.wrong
        return np.array([by_gain(wrong, large) for wrong, large in zip(self.wrong, self.gain, strict=True)])


def held_out(examples: Sequence[Example], options: Options, progress: Progress) -> tuple[Model, Scored]:
    """The model that serves, and scores of examples by models that did not see them."""
    folds = _folds(examples, options.seed)
    if len(examples) >= SPLIT_FROM:
        return _split(examples, folds, options, progress)
    return _crossfit(examples, folds, options, progress)


def tested(examples: Sequence[Example], seed: int) -> int:
    """How many examples have a held-out score."""
    return len(examples) if len(examples) < SPLIT_FROM else int((_folds(examples, seed) >= FOLDS * SHARE).sum())


def _folds(examples: Sequence[Example], seed: int) -> Places:
    """A fold for every example, drawn by question."""
    keys = sorted({one.label.key for one in examples})
    drawn = np.random.default_rng(seed).permutation(len(keys)) * FOLDS // max(len(keys), 1)
    fold = dict(zip(keys, drawn.tolist(), strict=True))
    return np.array([fold[one.label.key] for one in examples], dtype=np.intp)


def at(examples: Sequence[Example], places: Places) -> list[Example]:
    """The examples at these places."""
    return [examples[place] for place in places.tolist()]


def _split(examples: Sequence[Example], folds: Places, options: Options, progress: Progress) -> tuple[Model, Scored]:
    progress("model (60 % of the questions)")
    fitted, held = np.flatnonzero(folds < FOLDS * SHARE), np.flatnonzero(folds >= FOLDS * SHARE)
    model = _train(at(examples, fitted), options, boost=True)
    return model, _score(model, examples, held)


def _crossfit(examples: Sequence[Example], folds: Places, options: Options, progress: Progress) -> tuple[Model, Scored]:
    found: list[Scored] = []
    boost = len(examples) >= BOOSTED_FROM
    for fold in range(FOLDS):
        progress(f"fold {fold + 1} of {FOLDS}")
        held = np.flatnonzero(folds == fold)
        if len(held):
            found.append(_score(_train(at(examples, np.flatnonzero(folds != fold)), options, boost=boost), examples, held))
    progress("model (all questions)")
    gains = [one.gain for one in found if one.gain is not None]
    places = np.concatenate([one.places for one in found])
    scored = Scored(
        places,
        np.concatenate([one.wrong for one in found]),
        np.concatenate(gains) if gains else None,
        np.concatenate([one.head for one in found]),
    )
    return _train(examples, options, boost=boost), scored


def _train(examples: Sequence[Example], options: Options, *, boost: bool) -> Model:
    """Heads first; the trees see the heads' own out-of-fold scores."""
    wrong = np.array([one.wrong for one in examples])
    right = None if any(one.label.large is None for one in examples) else np.array([(one.label.large or 0.0) >= 0.5 for one in examples])
    weights = np.array([one.label.weight for one in examples])
    weights = weights / weights.mean()
    folds = _folds(examples, seed=1) % HEAD_FOLDS
    heads, scores = fit_heads(examples, folds, ~wrong, right, weights)
    found = [dict(one.found) | score for one, score in zip(examples, scores, strict=True)]
    names = _telling(found)
    table = np.array([vector(one, names) for one in found])
    parts = _ensembles(table, wrong, weights, boost)
    gain = _ensembles(table, right, weights, boost) if options.objective == "gain" and right is not None else ()
    return Model(names, parts, gain, heads)


def _ensembles(rows: Floats, happened: Bools, weights: Floats, boost: bool) -> tuple[Ensemble, ...]:
    if happened.all() or not happened.any() or not rows.shape[1]:
        return (training.constant(float(happened.mean())),)
    if not boost:
        return (training.randomised(rows, happened, weights, leaves=MOST_LEAVES),)
    return training.boosted(rows, happened, weights), training.randomised(rows, happened, weights)


def _telling(found: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Features with at least two known values here."""
    known = [name for name in FEATURES if any(name in one for one in found)]
    return tuple(name for name in known if len({value for one in found if (value := one.get(name, np.nan)) == value}) > 1)


def _score(model: Model, examples: Sequence[Example], places: Places) -> Scored:
    width = len(model.features)
    chosen = at(examples, places)
    heads = model.heads.scores(chosen)
    rows = [vector(dict(one.found) | head, model.features) for one, head in zip(chosen, heads, strict=True)]
    parts, gain = _compiled(model.parts, width), _compiled(model.gain, width)
    wrong = np.array([np.mean([part.score(row) for part in parts]) for row in rows])
    large = np.array([np.mean([part.score(row) for part in gain]) for row in rows]) if gain else None
    return Scored(places, wrong, large, np.array([head.get(HEAD_FEATURES[0], 0.0) for head in heads]))


def _compiled(parts: Iterable[Ensemble], width: int) -> list[Forest]:
    return [Forest.of(part.trees, width, part.bias, part.mean) for part in parts]
