"""Deferral orders to compare with: each gives one number a record, higher goes to the large tier first."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.calibration.features import grams
from router.calibration.linear import buckets
from router.evaluation.drafts import Tiers, draft, found
from router.evaluation.records import Record
from router.registry import scores

Floats = NDArray[np.float64]
Order = Callable[[Sequence[Record], Tiers], Floats | None]
FOLDS, NEIGHBOURS, WIDTH, RANK = 5, 30, 1024, 16
_CHECKS = ("violations", "unknown_names", "unknown_arguments", "missing_arguments", "wrong_types", "not_in_enum")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A named order; `None` from it where the records lack what it needs."""

    name: str
    order: Order


def baselines() -> tuple[Baseline, ...]:
    """All that are shipped; always small and always large are the ends of every curve."""
    return (
        Baseline("random", random_order),
        Baseline("prompt length", prompt_length),
        Baseline("contract checks only", checks),
        Baseline("maximum probability", _raw("total")),
        Baseline("mean log-probability", _raw("mean")),
        Baseline("quantile log-probability", _raw("quantile")),
        Baseline("k nearest neighbours", nearest),
        Baseline("matrix factorisation", factorised),
        Baseline("oracle", oracle),
    )


def random_order(records: Sequence[Record], _: Tiers) -> Floats:
    """All alike: the curve is the straight line between the tiers."""
    return np.zeros(len(records))


def prompt_length(records: Sequence[Record], _: Tiers) -> Floats:
    """Long requests go to the large tier."""
    return np.array([float(sum(len(message.text) for message in record.request.messages)) for record in records])


def checks(records: Sequence[Record], tiers: Tiers) -> Floats | None:
    """The number of complaints of the contract and the functions' schemas."""
    if all(draft(record, tiers) is None and record.answers[tiers.small].features is None for record in records):
        return None
    known = [found(record, tiers) for record in records]
    return np.array([math.fsum(value for name in _CHECKS if (value := one.get(name, 0.0)) == value) for one in known])


def oracle(records: Sequence[Record], tiers: Tiers) -> Floats:
    """Knows the labels: the gain of each record."""
    return np.array([record.answers[tiers.large].correct - record.answers[tiers.small].correct for record in records])


def _raw(kind: str) -> Order:
    score = scores.build({"kind": kind}, "baseline")

    def order(records: Sequence[Record], tiers: Tiers) -> Floats | None:
        drafts = [draft(record, tiers) for record in records]
        values = [None if one is None else score.measure(one) for one in drafts]
        known = [value for value in values if value is not None]
        return np.array([max(known) if value is None else value for value in values]) if known else None

    return order


def nearest(records: Sequence[Record], tiers: Tiers) -> Floats | None:
    """Mean error of the small tier over the 30 most similar requests of the other folds (kNN routing, arXiv 2505.12601)."""
    prompts = _prompts(records)
    if prompts is None:
        return None
    wrong = 1.0 - np.array([record.answers[tiers.small].correct for record in records])
    result = np.zeros(len(records))
    for held, rest in _folds(records):
        likeness = prompts[held] @ prompts[rest].T
        count = min(NEIGHBOURS, len(rest))
        closest = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        weight = np.take_along_axis(likeness, closest, axis=1) + 1e-3
        result[held] = (weight * wrong[rest][closest]).sum(axis=1) / weight.sum(axis=1)
    return result


def factorised(records: Sequence[Record], tiers: Tiers) -> Floats | None:
    """P(large right) - P(small right) by a bilinear model of tier and hashed words (RouteLLM, section 4.2, arXiv 2406.18665)."""
    prompts = _prompts(records)
    if prompts is None:
        return None
    labels = np.array([[record.answers[tier].correct for tier in (tiers.small, tiers.large)] for record in records])
    result = np.zeros(len(records))
    for held, rest in _folds(records):
        odds = _bilinear(prompts[rest], labels[rest])(prompts[held])
        chance = 1 / (1 + np.exp(-odds))
        result[held] = chance[:, 1] - chance[:, 0]
    return result


def _bilinear(prompts: Floats, labels: Floats, rounds: int = 120, rate: float = 0.05, decay: float = 1e-3) -> Callable[[Floats], Floats]:
    """Adam on the logistic loss of `prompts @ project @ tiers + bias`."""
    generator = np.random.default_rng(0)
    mean = np.clip(labels.mean(axis=0), 0.01, 0.99)
    weights = [generator.normal(0, 0.1, (prompts.shape[1], RANK)), generator.normal(0, 0.3, (RANK, 2)), np.log(mean / (1 - mean))]
    first, second = [np.zeros_like(one) for one in weights], [np.zeros_like(one) for one in weights]
    for step in range(1, rounds + 1):
        hidden = prompts @ weights[0]
        error = (1 / (1 + np.exp(-(hidden @ weights[1] + weights[2]))) - labels) / len(prompts)
        slopes = [prompts.T @ (error @ weights[1].T) + decay * weights[0] / len(prompts), hidden.T @ error, error.sum(axis=0)]
        for place, slope in enumerate(slopes):
            first[place] = 0.9 * first[place] + 0.1 * slope
            second[place] = 0.999 * second[place] + 0.001 * slope**2
            corrected = np.sqrt(second[place] / (1 - 0.999**step)) + 1e-8
            weights[place] = weights[place] - rate * first[place] / (1 - 0.9**step) / corrected
    return lambda rows: rows @ weights[0] @ weights[1] + weights[2]


def _prompts(records: Sequence[Record]) -> Floats | None:
    """Hashed words of the requests as rows of length 1, rare ones weighing more; `None` where no text was kept."""
    used = [sorted(buckets(grams(record.request), WIDTH)) for record in records]
    if not any(used):
        return None
    rows = np.zeros((len(records), WIDTH))
    for row, found_here in zip(rows, used, strict=True):
        row[found_here] = 1.0
    rows *= np.log((1 + len(rows)) / (1 + rows.sum(axis=0)))
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit


def _folds(records: Sequence[Record]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Held-out places and the rest, by question."""
    keys = sorted({record.key for record in records})
    fold = dict(zip(keys, (np.random.default_rng(0).permutation(len(keys)) % FOLDS).tolist(), strict=True))
    place = np.array([fold[record.key] for record in records])
    pairs = [(np.flatnonzero(place == one), np.flatnonzero(place != one)) for one in range(FOLDS)]
    return [(held, rest) for held, rest in pairs if len(held) and len(rest)]


def orders(records: Sequence[Record], tiers: Tiers, progress: Callable[[str], None] = lambda line: None) -> Mapping[str, Floats]:
    """The orders of all baselines that these records allow."""
    result: dict[str, Floats] = {}
    for baseline in baselines():
        progress(baseline.name)
        order = baseline.order(records, tiers)
        if order is not None:
            result[baseline.name] = order
    return result
