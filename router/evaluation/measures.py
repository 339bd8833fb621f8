"""What a ranking, a probability and a threshold are worth; rates are 0 to 1, `None` where a measure has no meaning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
BINS = 15


def auroc(scores: Floats, happened: Bools) -> float | None:
    """P(a case that happened scores higher than one that did not), ties counting half; `None` where all are alike."""
    positives = int(happened.sum())
    negatives = len(scores) - positives
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[happened].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def quality_curve(order: Floats, small: Floats, large: Floats) -> Floats:
    """Mean quality with the first 0, 1, … n by falling `order` sent to the large tier; records of one order count as drawn at random."""
    _, place, counts = np.unique(-order, return_inverse=True, return_counts=True)
    mean_gain = np.bincount(place, weights=large - small) / counts
    steps = np.repeat(mean_gain, counts)
    curve: Floats = (small.sum() + np.concatenate([[0.0], np.cumsum(steps)])) / max(len(order), 1)
    return curve


def pgr(curve: Floats) -> Floats | None:
    """Performance gap recovered at each point of a quality curve (RouteLLM, arXiv 2406.18665); `None` where the tiers are equally good."""
    gap = curve[-1] - curve[0]
    return None if abs(gap) < 1e-12 else (curve - curve[0]) / gap


def apgr(curve: Floats) -> float | None:
    """Mean PGR over the share of large calls: 0.5 for a random order, above 1 where mixing beats the large tier."""
    recovered = pgr(curve)
    return None if recovered is None else float(recovered.mean())


def cpt(curve: Floats, share: float) -> float | None:
    """Least share of large calls that recovers `share` of the gap."""
    recovered = pgr(curve)
    return None if recovered is None else _first(recovered >= share - 1e-12)


def calls_for(curve: Floats, share: float = 0.95) -> float | None:
    """Least share of large calls for `share` of the large tier's quality."""
    return _first(curve >= share * curve[-1] - 1e-12)


def _first(reached: Bools) -> float | None:
    places = np.flatnonzero(reached)
    return float(places[0] / max(len(reached) - 1, 1)) if len(places) else None


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability diagram."""

    confidence: float
    accuracy: float
    count: int


def reliability(confidence: Floats, correct: Floats, bins: int = BINS) -> list[Bin]:
    """Bins of equal mass by rising confidence."""
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(bins, max(len(confidence), 1)))
    return [Bin(float(confidence[part].mean()), float(correct[part].mean()), len(part)) for part in parts if len(part)]


def ece(confidence: Floats, correct: Floats, bins: int = BINS) -> float | None:
    """Expected calibration error over 15 bins of equal mass (Guo et al., arXiv 1706.04599; equal mass: arXiv 1909.10155)."""
    if not len(confidence):
        return None
    return sum(one.count * abs(one.confidence - one.accuracy) for one in reliability(confidence, correct, bins)) / len(confidence)


def ece_of_perfect(confidence: Floats, quantile: float = 0.95, draws: int = 500, seed: int = 0) -> float:
    """The quantile of the ECE that these confidences would show if they were exactly right: what the number of records makes of it."""
    generator = np.random.default_rng(seed)
    found = [ece(confidence, (generator.random(len(confidence)) < confidence).astype(float)) or 0.0 for _ in range(draws)]
    return float(np.quantile(found, quantile))


def risk_coverage(order: Floats, wrong: Bools) -> tuple[Floats, Floats]:
    """Coverage and the error among the kept, keeping the lowest `order` first (El-Yaniv and Wiener 2010)."""
    kept = np.arange(1, len(order) + 1)
    errors = np.cumsum(wrong[np.argsort(order, kind="stable")])
    return kept / max(len(order), 1), errors / kept
