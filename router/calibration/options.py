"""What a fit is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from router.calibration.thresholds import Promise

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """At most `max_error` of `loss` among the kept, with probability `confidence`; `objective` says what is deferred first.

    With `max_cost` the best quality instead, at a mean cost of at most so many dollars a request. `promise` says what the share is
    counted over: the next requests, as many as there are labels, or all there will ever be.
    """

    objective: Literal["error", "gain"] = "error"
    loss: Literal["error", "regret"] = "error"
    max_error: float = 0.05
    confidence: float = 0.95
    small: str = "small"
    large: str | None = "large"
    seed: int = 0
    max_cost: float | None = None
    promise: Promise = "next"
