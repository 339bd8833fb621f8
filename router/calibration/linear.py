"""Logistic regression on request features and hashed words: a head for each tier's success before generation, one for answer and words."""

import math
from array import array
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import mul
from typing import Any
from zlib import crc32

import numpy as np
from pydantic import ConfigDict, with_config

from router.compiled import built

_COMPILED = built("heads")

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
            total += math.fsum(self.hashed[bucket] for bucket in used) / math.sqrt(len(used))
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
        return total + math.fsum(map(self.hashed.__getitem__, used)) / math.sqrt(count) if count else total


@dataclass(frozen=True, slots=True)
class HeadSet:
    """Several heads evaluated at once: before generation that small and large are right, after it that this answer to these words is."""

    _scales: tuple[tuple[tuple[str, float, float], ...], ...]
    _heads: tuple[_Compiled, ...]
    _quick: Any = field(default=None, compare=False, repr=False)
    """The same numbers as compiled code sees them, where there is any."""

    def __post_init__(self) -> None:
        if _COMPILED is not None and self._heads:
            object.__setattr__(self, "_quick", _COMPILED.Heads(*self._tables(), ANSWERED, CROSSED))

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

    def _tables(self) -> Iterator[Any]:
        """Names of the features, their means and inverse scales by scale; by head name, scale, weights, bias and weights of buckets."""
        yield tuple(name for name, _, _ in self._scales[0])
        yield np.array([[mean for _, mean, _ in scale] for scale in self._scales], dtype=np.float64, ndmin=2)
        yield np.array([[inverse for _, _, inverse in scale] for scale in self._scales], dtype=np.float64, ndmin=2)
        yield tuple(head.name for head in self._heads)
        yield np.array([head.scale for head in self._heads], dtype=np.intp)
        yield np.array([head.weights for head in self._heads], dtype=np.float64, ndmin=2)
        yield np.array([head.bias for head in self._heads], dtype=np.float64)
        yield [head.hashed for head in self._heads]

    def before(self, found: Mapping[str, float], grams: Sequence[str]) -> float:
        """Log-odds of the first head alone, where there is one, before any generation."""
        if self._quick is not None:
            said: float = self._quick.before(dict(found), grams)
            return said
        head = self._heads[0]
        used = buckets(grams, len(head.hashed)) if head.hashed else frozenset[int]()
        return head.of(_sized(found, self._scales[head.scale]), used, len(used))

    def scores(self, found: Mapping[str, float], grams: Sequence[str]) -> dict[str, float]:
        """Log-odds by name; the head on the answer is silent where no words stand beside one."""
        return (
            self.plain(found, grams)
            if self._quick is None
            else self._quick.scores(found if isinstance(found, dict) else dict(found), list(grams))
        )

    def plain(self, found: Mapping[str, float], grams: Sequence[str]) -> dict[str, float]:
        """The same without compiled code."""
        away = [_sized(found, scale) for scale in self._scales]
        own = [gram for gram in grams if gram[0] != CROSSED]
        crossed = len(own) < len(grams)
        result = {}
        for head in self._heads:
            if head.name != ANSWERED or crossed:
                used = buckets(grams if head.name == ANSWERED else own, len(head.hashed)) if head.hashed else frozenset[int]()
                result[head.name] = head.of(away[head.scale], used, len(used))
        return result


def _inverse(features: Sequence[str], means: Sequence[float], scales: Sequence[float]) -> tuple[tuple[str, float, float], ...]:
    return tuple((name, mean, 1.0 / scale) for name, mean, scale in zip(features, means, scales, strict=True))


def _sized(found: Mapping[str, float], scale: Sequence[tuple[str, float, float]]) -> list[float]:
    """How far each feature is from its mean in standard deviations, at most five; one that is absent or NaN is the mean."""
    return [
        away if -5.0 <= (away := (found.get(name, mean) - mean) * inverse) <= 5.0 else 5.0 * (away > 0.0) - 5.0 * (away < 0.0)
        for name, mean, inverse in scale
    ]


def buckets(grams: Iterable[str], count: int) -> frozenset[int]:
    """The buckets that a request's words and pairs fall into; many share one, so none identifies a request."""
    return frozenset(crc32(gram.encode()) % count for gram in grams)
