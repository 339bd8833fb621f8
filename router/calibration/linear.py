"""Logistic regression before generation: request features and hashed words, one head for each tier's success."""

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ConfigDict, with_config

from router.calibration.maps import sigmoid


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

    def probability(self, found: Mapping[str, float], grams: Sequence[str]) -> float:
        """P(right)."""
        return sigmoid(self.score(found, grams))


def buckets(grams: Iterable[str], count: int) -> frozenset[int]:
    """The buckets that a request's words and pairs fall into; many share one, so none identifies a request."""
    return frozenset(zlib.crc32(gram.encode()) % count for gram in grams)
