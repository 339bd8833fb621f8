"""Which token comes next: bias and penalties, temperature, nucleus, seed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router.errors import EngineRejected
from router.types import Sampling

Row = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Sampler:
    """Draws the tokens of one choice. Temperature 0, which is also the default, takes the likeliest token.

    The penalties are OpenAI's: `presence` once, `frequency` for each time that a token has been generated. `seed` and the index of the
    choice determine the draws; without a seed they are random.
    """

    def __init__(self, sampling: Sampling, size: int, index: int = 0) -> None:
        self._temperature = sampling.temperature or 0.0
        self._top_p = 1.0 if sampling.top_p is None else sampling.top_p
        self._presence, self._frequency = sampling.presence_penalty or 0.0, sampling.frequency_penalty or 0.0
        self._bias = _bias(sampling, size)
        self._counts = np.zeros(size, np.float32) if self._presence or self._frequency else None
        self._random = np.random.default_rng(None if sampling.seed is None else [sampling.seed & (2**64 - 1), index])

    def adjust(self, logits: Row) -> Row:
        """Logits [V] with bias and penalties; the same array where there are none."""
        if self._bias is not None:
            logits = logits + self._bias
        if self._counts is not None:
            logits = logits - self._frequency * self._counts - self._presence * (self._counts > 0)
        return logits

    def draw(self, logits: Row, allowed: Mask) -> int:
        """One admissible token; `logits` are adjusted ones."""
        if self._temperature == 0.0:
            return int(np.where(allowed, logits, -np.inf).argmax())
        ids = np.flatnonzero(allowed)
        scaled = logits[ids].astype(np.float64) / self._temperature
        weights = np.exp(scaled - scaled.max())
        return int(ids[self._pick(weights / weights.sum())])

    def count(self, ids: Sequence[int]) -> None:
        """Note tokens that were generated."""
        if self._counts is not None:
            np.add.at(self._counts, list(ids), 1.0)

    def _pick(self, weights: NDArray[np.float64]) -> int:
        """An index by probability among the fewest likeliest ones that make up `top_p` (nucleus sampling, arXiv:1904.09751)."""
        order = np.argsort(-weights, kind="stable")
        heap = np.cumsum(weights[order])
        kept = min(int(np.searchsorted(heap, self._top_p)) + 1, len(order))
        point = self._random.random() * heap[kept - 1]
        return int(order[min(int(np.searchsorted(heap, point, side="right")), kept - 1)])


def _bias(sampling: Sampling, size: int) -> Row | None:
    if not sampling.logit_bias:
        return None
    bias = np.zeros(size, np.float32)
    for token, value in sampling.logit_bias:
        if not 0 <= token < size:
            raise EngineRejected(f"logit_bias: there is no token {token}; the vocabulary has {size}", param="logit_bias")
        bias[token] = value
    return bias
