"""The probability that the grammar removed: what the model wanted to say and its contract does not admit (arXiv 2305.13971)."""

from dataclasses import dataclass
from typing import ClassVar

from router.registry import scores
from router.scores.tokens import removed
from router.types import Draft, Evidence


@scores.register("removed")
@dataclass(frozen=True, slots=True)
class Removed:
    """Finds requests that the offered functions do not serve; forced tokens count, for there the mask removed most."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence:
        """Log-probabilities from before and after the mask."""
        return Evidence.LOGPROBS

    def measure(self, draft: Draft) -> float | None:
        """The largest share removed at any token, 0 to 1."""
        gone = removed(draft.choice.tokens)
        return gone[0] if gone else None
