"""Negative log-probability of the answer's free tokens together (maximum sequence probability; LM-Polygraph, arXiv 2311.07383)."""

from dataclasses import dataclass
from typing import ClassVar

from router.registry import scores
from router.scores.tokens import doubts, meaningful
from router.types import Draft, Evidence


@scores.register("total")
@dataclass(frozen=True, slots=True)
class Total:
    """Punishes length, which is right where each further argument is one more chance to be wrong."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence:
        """Log-probabilities."""
        return Evidence.LOGPROBS

    def measure(self, draft: Draft) -> float | None:
        """Nats."""
        logprobs = doubts(meaningful(draft))
        return -sum(logprobs) if logprobs else None
