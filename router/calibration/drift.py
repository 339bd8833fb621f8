"""How far live scores have moved from those of the fit, and how honest the stated confidences are."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.ma  # which numpy's first quantile would import: in the watcher's thread, while requests wait for the interpreter
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

Floats = NDArray[np.float64]
POINTS, PARTS, LEAST, NEAR = 100, 10, 1e-4, 0.02


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Reference:
    """The confidences that the threshold was fitted on, as `POINTS` + 1 evenly spaced quantiles, and the families of their requests.

    Without families, which of them were seen is not known and none counts as unseen.
    """

    quantiles: tuple[float, ...]
    size: int
    families: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Sequence[float], families: Iterable[str] = ()) -> "Reference":
        """The reference that these confidences make; raises ValueError where there are none."""
        if not values:
            raise ValueError("a reference needs values")
        found = np.quantile(np.asarray(values, dtype=np.float64), np.linspace(0, 1, POINTS + 1))
        return cls(tuple(map(float, found)), len(values), tuple(sorted(set(families))))


@dataclass(frozen=True, slots=True)
class Drift:
    """Population stability index, Kolmogorov-Smirnov distance with its p-value, and the share (0..1) of requests of unseen families."""

    psi: float
    ks: float
    p_value: float
    unseen: float


def drift(reference: Reference, values: Sequence[float], families: Sequence[str] = ()) -> Drift | None:
    """The live values against the reference; `None` without any.

    The reference comes from models that saw a fold less, whose scores of one kind of draft lie a little apart from those of the model that
    serves. Where many drafts are alike that alone would look like drift, so only what lies more than `NEAR` apart counts.
    """
    if not values:
        return None
    old = np.asarray(reference.quantiles)
    new = _moved(old, np.sort(np.asarray(values, dtype=np.float64)))
    distance = _distance(old, new)
    strangers = sum(family not in reference.families for family in families) if reference.families else 0
    return Drift(_psi(old, new), distance, _p_value(distance, reference.size, len(new)), strangers / len(families) if families else 0.0)


def _moved(old: Floats, new: Floats) -> Floats:
    """Each sorted live value moved by up to `NEAR` towards the quantile of the reference that it stands for."""
    partners = np.interp((np.arange(len(new)) + 0.5) / len(new), np.linspace(0, 1, len(old)), old)
    return np.clip(partners, new - NEAR, new + NEAR)


def _psi(old: Floats, new: Floats) -> float:
    """Over the deciles of the reference; a value that many share is a part of its own; empty parts count as `LEAST` (Siddiqi, 2006)."""
    edges = np.unique(old[POINTS // PARTS : -1 : POINTS // PARTS])
    shared = [edge for edge in edges if (old == edge).sum() > 1]
    cuts = np.unique(np.concatenate([edges, np.nextafter(shared, -np.inf)]))
    expected, found = (np.bincount(np.searchsorted(cuts, sample), minlength=len(cuts) + 1) / len(sample) for sample in (old, new))
    expected, found = np.maximum(expected, LEAST), np.maximum(found, LEAST)
    return float(((found - expected) * np.log(found / expected)).sum())


def _distance(old: Floats, new: Floats) -> float:
    points = np.concatenate([old, new])
    ours, theirs = (np.searchsorted(sample, points, side="right") / len(sample) for sample in (old, new))
    return float(np.abs(ours - theirs).max())


def _p_value(distance: float, old: int, new: int) -> float:
    """The two-sample Kolmogorov-Smirnov p-value by its limit; the reference's own rounding to quantiles is allowed for."""
    size = old * new / (old + new)
    shift = math.sqrt(size) * max(0.0, distance - 1.0 / POINTS)
    if shift < 0.2:
        return 1.0
    return min(1.0, max(0.0, 2 * math.fsum((-1) ** (k - 1) * math.exp(-2 * (k * shift) ** 2) for k in range(1, 101))))


def calibration_error(confidences: Sequence[float], correct: Sequence[float], weights: Sequence[float], bins: int = 15) -> float | None:
    """Expected calibration error over bins of equal weight; `None` without labels.

    Inverse sampling probabilities as weights make it that of all drafts and not only of the labelled ones.
    """
    if not confidences:
        return None
    order = np.argsort(np.asarray(confidences, dtype=np.float64), kind="stable")
    said, right, weight = (np.asarray(values, dtype=np.float64)[order] for values in (confidences, correct, weights))
    total = float(weight.sum())
    place = np.minimum((np.cumsum(weight) - weight / 2) / total * bins, bins - 1).astype(np.int64)
    gaps = np.bincount(place, weight * (right - said), minlength=bins)
    return float(np.abs(gaps).sum() / total)
