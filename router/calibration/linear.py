"""Logistic regression on request features and hashed words: a head for each tier's success before generation, one for answer and words."""

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

Floats = NDArray[np.float64]
HEAD_FEATURES, ANSWERED = ("head_small", "head_large"), "head_answered"
CROSSED = "="
"""How the words that stand beside an answer begin; no word of a request does."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Head:
    """P(a tier is right) from the request alone; `means` and `scales` bring the features to one size, `hashed` has one weight a bucket."""

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    hashed: tuple[float, ...]
    bias: float

    def score(self, found: Mapping[str, float], grams: Sequence[str]) -> float:
        """Log-odds that the tier is right; `grams` are the request's words and pairs."""
        total = self.bias
        for name, mean, scale, weight in zip(self.features, self.means, self.scales, self.weights, strict=True):
            value = found.get(name, mean)
            total += weight * (min(max((value - mean) / scale, -5.0), 5.0) if math.isfinite(value) else 0.0)
        if self.hashed and grams:
            used = buckets(grams, len(self.hashed))
            total += sum(self.hashed[bucket] for bucket in used) / math.sqrt(len(used))
        return total


@dataclass(frozen=True, slots=True)
class HeadSet:
    """Several heads evaluated at once: before generation that small and large are right, after it that this answer to these words is."""

    names: tuple[str, ...]
    features: tuple[str, ...]
    _means: Floats
    _inverse: Floats
    _weights: Floats
    _biases: Floats
    _hashed: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, pair: tuple[Head, Head | None] | None, answered: Head | None) -> "HeadSet":
        """Compile the heads; raises ValueError where they do not read the same features."""
        known = dict(zip((*HEAD_FEATURES, ANSWERED), (*(pair or (None, None)), answered), strict=True))
        heads = {name: head for name, head in known.items() if head is not None}
        features = next((head.features for head in heads.values()), ())
        if any(
            head.features != features or {len(head.means), len(head.scales), len(head.weights)} != {len(features)}
            for head in heads.values()
        ):
            raise ValueError("heads: each needs the same features, and as many means, scales and weights")
        rows = [(head.means, head.scales, head.weights) for head in heads.values()]
        means, scales, weights = (np.array([row[place] for row in rows], dtype=np.float64) for place in range(3))
        biases = np.array([head.bias for head in heads.values()])
        return cls(tuple(heads), features, means, 1.0 / scales, weights, biases, tuple(head.hashed for head in heads.values()))

    def scores(self, found: Mapping[str, float], grams: Sequence[str]) -> dict[str, float]:
        """Log-odds by name; the head on the answer is silent where no words stand beside one."""
        if not self.names:
            return {}
        row = np.array([found.get(name, math.nan) for name in self.features])
        scaled = np.minimum(np.maximum((row - self._means) * self._inverse, -5.0), 5.0)
        dense = (np.where(np.isnan(scaled), 0.0, scaled) * self._weights).sum(axis=1) + self._biases
        plain = [zlib.crc32(gram.encode()) for gram in grams if gram[0] != CROSSED]
        beside = [zlib.crc32(gram.encode()) for gram in grams if gram[0] == CROSSED]
        known: dict[tuple[int, bool], list[int]] = {}
        result = {}
        for name, total, hashed in zip(self.names, dense.tolist(), self._hashed, strict=True):
            key = len(hashed), name == ANSWERED
            if key not in known:
                known[key] = list({value % key[0] for value in (plain + beside if key[1] else plain)}) if key[0] else []
            if name != ANSWERED or beside:
                result[name] = total + _hashed(hashed, known[key])
        return result


def _hashed(weights: Sequence[float], used: list[int]) -> float:
    return sum([weights[bucket] for bucket in used]) / math.sqrt(len(used)) if used else 0.0


def buckets(grams: Iterable[str], count: int) -> frozenset[int]:
    """The buckets that a request's words and pairs fall into; many share one, so none identifies a request."""
    return frozenset(zlib.crc32(gram.encode()) % count for gram in grams)
