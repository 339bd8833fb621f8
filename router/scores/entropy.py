"""Entropy of the legal alternatives at the slots that decide (function-calling uncertainty, arXiv 2604.22985)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from router.registry import scores
from router.scores.tokens import entropies, meaningful, names
from router.types import Draft, Evidence


@scores.register("entropy")
@dataclass(frozen=True, slots=True)
class Entropy:
    """`slot`: the first free token (a call or a message, one option of a choice), the functions' names, or the worst of all free tokens."""

    kind: ClassVar[str]
    slot: Literal["first", "name", "all"] = "all"

    @property
    def needs(self) -> Evidence:
        """Log-probabilities with alternatives."""
        return Evidence.LOGPROBS

    def measure(self, draft: Draft) -> float | None:
        """Nats, the largest of the slot."""
        tokens = names(draft) if self.slot == "name" else meaningful(draft)
        found = entropies(tokens[:1] if self.slot == "first" else tokens)
        return max(found) if found else None
