"""Logistic regression on request features and hashed words: a head for each tier's success before generation, one for answer and words."""

import math
from array import array
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import mul
from zlib import crc32

from pydantic import ConfigDict, with_config

from router.compiled import compiled

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
class _Compiled:
    """One head of a set: `scale` is the place of the sizes that it shares with others, `hashed` lies in one piece of memory."""

    name: str
    scale: int
    weights: tuple[float, ...]
    bias: float
    hashed: Sequence[float]

    def of(self, sized: Sequence[float], used: Iterable[int], count: int) -> float:
        """Log-odds from the sized features and the buckets of the words."""
        total = self.bias + math.fsum(map(mul, sized, self.weights))
        return total + sum(map(self.hashed.__getitem__, used)) / math.sqrt(count) if count else total


@dataclass(frozen=True, slots=True)
class HeadSet:
    """Several heads evaluated at once: before generation that small and large are right, after it that this answer to these words is."""

    _scales: tuple[tuple[tuple[str, float, float], ...], ...]
    _heads: tuple[_Compiled, ...]

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
        scales = {(head.means, head.scales): None for head in heads.values()}
        places = {scale: place for place, scale in enumerate(scales)}
        compiled = [
            _Compiled(name, places[head.means, head.scales], head.weights, head.bias, array("d", head.hashed))
            for name, head in heads.items()
        ]
        return cls(tuple(_inverse(features, *scale) for scale in scales), tuple(compiled))

    def only(self, names: Container[str]) -> "HeadSet":
        """Those of these names."""
        heads = [head for head in self._heads if head.name in names]
        places = {scale: place for place, scale in enumerate(dict.fromkeys(head.scale for head in heads))}
        return HeadSet(tuple(self._scales[scale] for scale in places), tuple(replace(head, scale=places[head.scale]) for head in heads))

    def __bool__(self) -> bool:
        return bool(self._heads)

    def before(self, found: Mapping[str, float], grams: Sequence[str]) -> float:
        """Log-odds of the first head alone, where there is one, before any generation."""
        head = self._heads[0]
        used = buckets(grams, len(head.hashed)) if head.hashed else frozenset[int]()
        return head.of(sized(found, self._scales[head.scale]), used, len(used))

    def scores(self, found: Mapping[str, float], grams: Sequence[str]) -> dict[str, float]:
        """Log-odds by name; the head on the answer is silent where no words stand beside one."""
        away = [sized(found, scale) for scale in self._scales]
        plain, beside = hashes(grams, CROSSED)
        known: dict[tuple[int, bool], set[int]] = {}
        result = {}
        for head in self._heads:
            key = len(head.hashed), head.name == ANSWERED
            if key not in known:
                known[key] = folded(plain + beside if key[1] else plain, key[0]) if key[0] else set()
            if head.name != ANSWERED or beside:
                result[head.name] = head.of(away[head.scale], known[key], len(known[key]))
        return result


def _inverse(features: Sequence[str], means: Sequence[float], scales: Sequence[float]) -> tuple[tuple[str, float, float], ...]:
    return tuple((name, mean, 1.0 / scale) for name, mean, scale in zip(features, means, scales, strict=True))


@compiled("heads")
def hashes(grams: Iterable[str], mark: str) -> tuple[list[int], list[int]]:
    """Checksums of the grams that do not begin with the mark, and of those that do."""
    every = list(grams)
    return [crc32(gram.encode()) for gram in every if gram[0] != mark], [crc32(gram.encode()) for gram in every if gram[0] == mark]


@compiled("heads")
def folded(values: list[int], count: int) -> set[int]:
    """The buckets that checksums fall into."""
    return {value % count for value in values}


@compiled("heads")
def sized(found: Mapping[str, float], scale: Sequence[tuple[str, float, float]]) -> list[float]:
    """How far each feature is from its mean in standard deviations, at most five; one that is absent or NaN is the mean."""
    return [
        away if -5.0 <= (away := (found.get(name, mean) - mean) * inverse) <= 5.0 else 5.0 * (away > 0.0) - 5.0 * (away < 0.0)
        for name, mean, inverse in scale
    ]


def buckets(grams: Iterable[str], count: int) -> frozenset[int]:
    """The buckets that a request's words and pairs fall into; many share one, so none identifies a request."""
    return frozenset(crc32(gram.encode()) % count for gram in grams)
