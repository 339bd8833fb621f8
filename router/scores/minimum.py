"""Negative log-probability of the least likely free token (Manakul et al., SelfCheckGPT, section 4.1, arXiv 2303.08896)."""

from dataclasses import dataclass
from typing import ClassVar

from router.registry import scores
from router.scores.tokens import doubts, meaningful
from router.types import Draft, Evidence


@scores.register("minimum")
@dataclass(frozen=True, slots=True)
class Minimum:
    """An answer is as sure as its weakest token."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence:
        """Log-probabilities."""
        return Evidence.LOGPROBS

    def measure(self, draft: Draft) -> float | None:
        """Nats."""
        logprobs = doubts(meaningful(draft))
        return -min(logprobs) if logprobs else None
