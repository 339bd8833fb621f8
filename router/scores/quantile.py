"""A quantile of the free tokens' log-probabilities (Gupta et al., Language Model Cascades, section 3, arXiv 2404.10136)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from router.registry import scores
from router.scores.tokens import doubts, meaningful
from router.types import Draft, Evidence


@scores.register("quantile")
@dataclass(frozen=True, slots=True)
class Quantile:
    """Neither as harsh as the minimum nor as mild as the mean; `q` counts from the least likely token."""

    kind: ClassVar[str]
    q: Annotated[float, Field(ge=0, le=1)] = 0.1

    @property
    def needs(self) -> Evidence:
        """Log-probabilities."""
        return Evidence.LOGPROBS

    def measure(self, draft: Draft) -> float | None:
        """Nats, interpolated between tokens."""
        ordered = sorted(doubts(meaningful(draft)))
        if not ordered:
            return None
        place = self.q * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return -(ordered[low] + (place - low) * (ordered[high] - ordered[low]))
