"""Bounds on an error rate that hold at all times at once, so that looking after every label costs nothing.

The capital of a gambler who bets a fixed fraction against the claim "the mean is m" is a test martingale: it reaches 1/delta with
probability at most delta if the claim is true. A mixture over many fractions needs no tuning. (Waudby-Smith and Ramdas, Estimating means of
bounded random variables by betting, JRSS B 2023, arXiv 2010.09686.)

Weighted labels: w (x - m) has mean zero at the weighted mean m, and stays within a bet's reach once w is divided by the largest weight
there can be.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FRACTIONS: Floats = np.concatenate([np.geomspace(0.005, 0.7, 20), [0.8, 0.9, 0.97, 0.99]])
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Bets:
    """Labels as counts of (share of the largest weight, value in 0..1): the capital does not depend on their order."""

    counts: Mapping[tuple[float, float], int] = field(default_factory=dict)

    def add(self, value: float, share: float = 1.0) -> "Bets":
        """One label more; raises ValueError where value or share lies outside 0..1, for then nothing holds."""
        if not (0.0 <= value <= 1.0 and 0.0 < share <= 1.0):
            raise ValueError(f"a label of value {value} and share {share} cannot be bet on")
        key = (share, value)
        return Bets({**self.counts, key: self.counts.get(key, 0) + 1})

    @property
    def labels(self) -> int:
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """The weighted mean of the values; `None` without labels."""
        total = math.fsum(share * count for (share, _), count in self.counts.items())
        return math.fsum(share * value * count for (share, value), count in self.counts.items()) / total if total else None

    def log_capital_below(self, mean: float) -> float:
        """Log capital won by betting that the true mean is less than `mean`; it never falls as `mean` rises."""
        if mean >= 1.0:
            return math.inf if self.counts and self.mean != 1.0 else 0.0
        return self._mixture({key: -key[0] * (key[1] - mean) / (1.0 - mean) for key in self.counts})

    def log_capital_above(self, mean: float) -> float:
        """Log capital won by betting that the true mean is greater than `mean`; it never rises as `mean` rises."""
        if mean <= 0.0:
            return math.inf if self.mean else 0.0
        return self._mixture({key: key[0] * (key[1] - mean) / mean for key in self.counts})

    def upper(self, delta: float) -> float:
        """Not below the true mean, at any time, with probability at least 1 - delta."""
        return self._crossing(lambda mean: self.log_capital_below(mean) < -math.log(delta), upper=True)

    def lower(self, delta: float) -> float:
        """Not above the true mean, at any time, with probability at least 1 - delta."""
        return self._crossing(lambda mean: self.log_capital_above(mean) >= -math.log(delta), upper=False)

    def _mixture(self, payoffs: Mapping[tuple[float, float], float]) -> float:
        total = np.zeros_like(_FRACTIONS)
        for key, payoff in payoffs.items():
            total += self.counts[key] * np.log1p(_FRACTIONS * payoff)
        top = float(total.max())
        return top + math.log(float(np.exp(total - top).mean()))

    def _crossing(self, below: Callable[[float], bool], *, upper: bool) -> float:
        """Where `below` turns false between 0 and 1, rounded to the safe side."""
        low, high = 0.0, 1.0
        if not self.counts:
            return high if upper else low
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle) else (low, middle)
        return high if upper else low
