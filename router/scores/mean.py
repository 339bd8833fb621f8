"""Mean negative log-probability of the free tokens: the length-normalised sequence score (Malinin and Gales, arXiv 2002.07650)."""

from dataclasses import dataclass
from typing import ClassVar

from router.registry import scores
from router.scores.tokens import doubts, meaningful
from router.types import Draft, Evidence


@scores.register("mean")
@dataclass(frozen=True, slots=True)
class Mean:
    """Forgives one doubtful token in a long answer: a baseline rather than a choice."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence:
        """Log-probabilities."""
        return Evidence.LOGPROBS

    def measure(self, draft: Draft) -> float | None:
        """Nats a token."""
        logprobs = doubts(meaningful(draft))
        return -sum(logprobs) / len(logprobs) if logprobs else None
