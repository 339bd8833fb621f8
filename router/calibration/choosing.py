"""How large the trees are: chosen once a fit, by cross-validation over questions, and the same for every model of that fit.

The least held-out loss decides: the logistic one after Platt's map, since a map mends the scale of the scores later anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from router.calibration.maps import platt
from router.calibration.stored import Choice, Size, Tried

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
SIZES = (Size(50, 32, 0), Size(100, 32, 0), Size(100, 32, 8), Size(100, 32, 15), Size(100, 64, 0))
"""By the number of leaves; of larger ones a judgement would take too long."""


@dataclass(frozen=True, slots=True)
class Part:
    """One ensemble of a size."""

    kind: Literal["randomised", "boosted"]
    leaves: int
    trees: int


def parts(size: Size) -> tuple[Part, ...]:
    """The ensembles whose mean log-odds is the score."""
    boosted = (Part("boosted", size.boosted, size.trees),) if size.boosted else ()
    return (*boosted, Part("randomised", size.randomised, size.trees))


def mean(scores: Mapping[Part, Floats], size: Size) -> Floats:
    """The scores of a size from those of its ensembles."""
    found: Floats = np.mean([scores[part] for part in parts(size)], axis=0)
    return found


@dataclass(frozen=True, slots=True)
class Task:
    """Held-out log-odds by ensemble, and whether what they speak of happened."""

    scores: Mapping[Part, Floats]
    happened: Bools


def choose(tasks: Sequence[Task], questions: Places, weights: Floats) -> Choice:
    """The size for all tasks together; `questions` numbers what each row asks, for rows of one question err together."""
    losses = [np.sum([_losses(mean(task.scores, size), task.happened, weights) for task in tasks], axis=0) for size in SIZES]
    best = losses[int(np.argmin([loss.mean() for loss in losses]))]
    tried = tuple(_tried(losses, best, questions))
    return Choice(min(tried, key=lambda one: one.over).size, tried)


def _tried(losses: Sequence[Floats], best: Floats, questions: Places) -> Iterator[Tried]:
    for size, loss in zip(SIZES, losses, strict=True):
        sums = np.bincount(questions, weights=loss - best)
        error = float(np.std(sums, ddof=1)) * len(sums) ** 0.5 / len(loss) if len(sums) > 1 else 0.0
        yield Tried(size, round(float(loss.mean()), 5), round(float((loss - best).mean()), 5), round(error, 5))


def _losses(scores: Floats, happened: Bools, weights: Floats) -> Floats:
    """Of each row, weighted."""
    if happened.all() or not happened.any():
        return np.zeros(len(scores))
    fitted = platt(scores, happened.astype(np.float64))
    odds = fitted.slope * scores + fitted.offset
    return weights * np.logaddexp(0.0, np.where(happened, -odds, odds))


def told(choice: Choice) -> str:
    """One line of progress."""
    tried = ", ".join(f"{_named(one.size)} {one.loss:.4f}" for one in choice.tried)
    return f"trees: {_named(choice.size)} (held-out loss: {tried})"


def _named(size: Size) -> str:
    boosted = f"+{size.boosted}" if size.boosted else ""
    return f"{size.trees}x{size.randomised}{boosted}"
