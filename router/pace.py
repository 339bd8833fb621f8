"""How long the tiers' answers took of late, so that a deadline can tell whether a draft is still worth trying."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from router.types import GenerationRequest, Outcome


@dataclass(slots=True)
class Pace:
    """The median seconds of each tier's last `most` answers on a route.

    They are forgotten after `fresh` seconds, so that a tier that was too slow for its deadlines is tried again; `least` must be known.
    """

    clock: Callable[[], float]
    fresh: float = 60.0
    most: int = 32
    least: int = 5
    _seen: dict[str, deque[tuple[float, float]]] = field(default_factory=dict, init=False)

    def observe(self, _request: GenerationRequest, outcome: Outcome) -> None:
        """Remember how long the answers took; one that ran into its time limit took at least that long."""
        now = self.clock()
        for attempt in outcome.attempts:
            if not attempt.cancelled and (attempt.generation is not None or attempt.deferral == "timeout"):
                if attempt.tier not in self._seen:
                    self._seen[attempt.tier] = deque(maxlen=self.most)
                self._seen[attempt.tier].append((now, attempt.seconds))

    def usual(self, tier: str) -> float | None:
        """Seconds; `None` while too few are known."""
        since = self.clock() - self.fresh
        recent = [seconds for at, seconds in self._seen.get(tier, ()) if at >= since]
        return median(recent) if len(recent) >= self.least else None
