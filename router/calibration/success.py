"""The models of success: heads, then trees on top of them, and held-out scores of the labelled examples.

The labels that a threshold is tested on are never those its score was fitted on: below 10,000 records every record is scored by a model
fitted without its fold (and the model that serves is fitted on all), from there on the model sees a fixed 60 % of the questions and the
threshold the rest. How large the trees are is chosen once, on those folds, for all of these models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.calibration.artifact import by_gain
from router.calibration.choosing import SIZES, Part, Task, choose, mean, parts, told
from router.calibration.examples import Example
from router.calibration.growing import FOLDS, Rows, at, drawn, ensembles, large_right, prepare, vectors, weighed
from router.calibration.heads import Heads
from router.calibration.options import Options, Progress
from router.calibration.stored import Choice, Ensemble, Size
from router.calibration.trees import Forests

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
Vectors = Sequence[Sequence[float]]
SPLIT_FROM, SHARE = 10_000, 0.6


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


def held_out(examples: Sequence[Example], options: Options, progress: Progress) -> tuple[Model, Scored, Choice]:
    """The model that serves, scores of examples by models that did not see them, and the size of all their trees."""
    folds = drawn(examples, options.seed)
    split = len(examples) >= SPLIT_FROM
    known = at(examples, np.flatnonzero(folds < FOLDS * SHARE)) if split else examples
    grown = _crossfit(known, folds[folds < FOLDS * SHARE] if split else folds, options, progress)
    choice = grown.choice(known)
    progress(told(choice))
    progress("model (60 % of the questions)" if split else "model (all questions)")
    model = _train(known, options, choice.size)
    return model, _score(model, examples, np.flatnonzero(folds >= FOLDS * SHARE)) if split else grown.of(choice.size), choice


def tested(examples: Sequence[Example], seed: int) -> int:
    """How many examples have a held-out score."""
    return len(examples) if len(examples) < SPLIT_FROM else int((drawn(examples, seed) >= FOLDS * SHARE).sum())


@dataclass(frozen=True, slots=True)
class _Grown:
    """Held-out scores of the examples at `places` by every ensemble of every size."""

    places: Places
    wrong: dict[Part, Floats]
    gain: dict[Part, Floats]
    head: Floats

    def of(self, size: Size) -> Scored:
        return Scored(self.places, mean(self.wrong, size), mean(self.gain, size) if self.gain else None, self.head)

    def choice(self, examples: Sequence[Example]) -> Choice:
        chosen = at(examples, self.places)
        tasks = [Task(self.wrong, np.array([one.wrong for one in chosen]))]
        if self.gain:
            tasks.append(Task(self.gain, np.array([large_right(one) for one in chosen])))
        _, questions = np.unique([one.label.key for one in chosen], return_inverse=True)
        return choose(tasks, questions, weighed(chosen))


def _crossfit(examples: Sequence[Example], folds: Places, options: Options, progress: Progress) -> _Grown:
    found: list[_Grown] = []
    numbers = np.unique(folds).tolist()
    for place, fold in enumerate(numbers, 1):
        progress(f"fold {place} of {len(numbers)}")
        found.append(_tried(examples, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold), options))
    return _Grown(
        np.concatenate([one.places for one in found]),
        _joined([one.wrong for one in found]),
        _joined([one.gain for one in found]),
        np.concatenate([one.head for one in found]),
    )


def _joined(found: Sequence[Mapping[Part, Floats]]) -> dict[Part, Floats]:
    return {part: np.concatenate([one[part] for one in found]) for part in found[0]}


def _tried(examples: Sequence[Example], inside: Places, outside: Places, options: Options) -> _Grown:
    """Ensembles of every size fitted on some examples and asked of the others."""
    heads, rows = prepare(at(examples, inside), gain=options.objective == "gain")
    held, head = vectors(heads, at(examples, outside), rows.names)
    wrong = _asked(rows, rows.wrong, held)
    return _Grown(outside, wrong, {} if rows.right is None else _asked(rows, rows.right, held), head)


def _asked(rows: Rows, happened: Bools, held: Vectors) -> dict[Part, Floats]:
    wanted = list(dict.fromkeys(part for size in SIZES for part in parts(size)))
    return {part: _mean([grown], held) for part, grown in ensembles(rows, happened, wanted).items()}


def _train(examples: Sequence[Example], options: Options, size: Size) -> Model:
    heads, rows = prepare(examples, gain=options.objective == "gain")
    wrong = tuple(ensembles(rows, rows.wrong, parts(size)).values())
    gain = () if rows.right is None else tuple(ensembles(rows, rows.right, parts(size)).values())
    return Model(rows.names, wrong, gain, heads)


def _score(model: Model, examples: Sequence[Example], places: Places) -> Scored:
    rows, head = vectors(model.heads, at(examples, places), model.features)
    return Scored(places, _mean(model.parts, rows), _mean(model.gain, rows) if model.gain else None, head)


def _mean(grown: Sequence[Ensemble], rows: Vectors) -> Floats:
    forests = Forests.of(grown, range(len(rows[0])))
    return np.array([np.mean(forests.log_odds(dict(enumerate(row)))) for row in rows])
