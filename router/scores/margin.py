"""The smallest gap between the chosen token and the best other one (margin sampling: Scheffer et al. 2001; Settles 2009, section 3.1)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from router.registry import scores
from router.scores.tokens import margins, meaningful
from router.types import Draft, Evidence


@scores.register("margin")
@dataclass(frozen=True, slots=True)
class Margin:
    """Looks at alternatives, so a token with many equal spellings does not count as doubt twice."""

    kind: ClassVar[str]
    over: Literal["min", "mean"] = "min"

    @property
    def needs(self) -> Evidence:
        """Log-probabilities with at least two alternatives a token."""
        return Evidence.LOGPROBS

    def measure(self, draft: Draft) -> float | None:
        """1 - (p1 - p2), from 0 (sure) to 2 (another token was certain)."""
        gaps = margins(meaningful(draft))
        if not gaps:
            return None
        return 1.0 - (min(gaps) if self.over == "min" else sum(gaps) / len(gaps))
