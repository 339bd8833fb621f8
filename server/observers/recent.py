"""The last outcomes of this process and their totals, for the page of the gateway itself: facts, never what was said."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from router.types import Attempt, GenerationRequest, Outcome, Ruling
from server.observers.savings import Yardstick

Json = dict[str, object]


@dataclass(slots=True)
class Recent:
    """Observes outcomes and keeps `size` of them; `wall` is in seconds since the epoch, `firsts` are the first tiers by route."""

    yardsticks: Mapping[str, Yardstick]
    firsts: Mapping[str, str]
    wall: Callable[[], float]
    size: int = 100
    last: int = 0
    _kept: deque[tuple[int, Json]] = field(init=False)
    _counts: Counter[str] = field(default_factory=Counter)
    _amounts: dict[str, float] = field(default_factory=lambda: {"cost": 0.0, "large_only": 0.0, "joules": 0.0})
    _groups: dict[str, Counter[str]] = field(default_factory=lambda: {"deferrals": Counter(), "answers": Counter(), "methods": Counter()})

    def __post_init__(self) -> None:
        self._kept = deque(maxlen=self.size)

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Keep its facts; the texts go with the outcome."""
        self.last += 1
        self._kept.append((self.last, _record(self.wall(), request, outcome)))
        self._count(outcome)

    def since(self, seen: int) -> list[Json]:
        """The records after that number, newest first; all there are, where the number is none of this process."""
        known = seen if 0 <= seen <= self.last else 0
        return [record for number, record in reversed(self._kept) if number > known]

    def totals(self) -> Json:
        """Since the start of this process."""
        return {**self._counts, **self._amounts, **{name: dict(counts) for name, counts in self._groups.items()}}

    def _count(self, outcome: Outcome) -> None:
        counts, kept = self._counts, outcome.kept
        counts["requests"] += 1
        counts["errors"] += outcome.code not in ("ok", "cancelled")
        counts["escalated"] += outcome.climbed
        self._amounts["cost"] += outcome.cost
        self._groups["deferrals"].update(outcome.deferrals)
        if (energy := outcome.energy) is not None:
            counts["measured"] += 1
            self._amounts["joules"] += energy.joules
            self._groups["methods"][energy.method] += 1
        if kept is not None and outcome.code == "ok":
            self._answer(outcome.route, kept)

    def _answer(self, route: str, kept: Attempt) -> None:
        self._counts["answered"] += 1
        self._counts["first"] += kept.tier == self.firsts.get(route)
        self._counts["verified"] += kept.deferral is None and any(verdict.ruling is Ruling.ACCEPT for verdict in kept.verdicts)
        self._groups["answers"][kept.tier] += 1
        yardstick = self.yardsticks.get(route)
        self._amounts["large_only"] += (yardstick.dollars(kept) if yardstick else None) or 0.0


def _record(at: float, request: GenerationRequest, outcome: Outcome) -> Json:
    kept, energy = outcome.kept, outcome.energy
    return {
        "time": round(at, 3),
        "id": outcome.request_id,
        "route": outcome.route,
        "asked": ASKED[request.contract.kind],
        "stream": outcome.stream,
        "code": outcome.code,
        "skipped": [{"tier": skip.tier, "reason": skip.reason} for skip in outcome.decision.skipped],
        "path": [_attempt(attempt, attempt is kept) for attempt in outcome.attempts],
        "confidence": kept.confidence if kept else None,
        "seconds": round(outcome.seconds, 6),
        "cost": outcome.cost,
        "joules": energy.joules if energy else None,
        "method": energy.method if energy else None,
    }


ASKED = {
    "none": "prose",
    "json_object": "a JSON object",
    "json_schema": "JSON of a schema",
    "regex": "a pattern",
    "choice": "a choice",
    "grammar": "a grammar",
    "tools": "tool calls",
}
"""What a contract's kind is called in front of people."""


def _attempt(attempt: Attempt, kept: bool) -> Json:
    return {
        "tier": attempt.tier,
        "kind": attempt.kind,
        "kept": kept,
        "deferral": attempt.deferral,
        "error": attempt.failure.code if attempt.failure else None,
        "verdicts": [[verdict.verifier, verdict.ruling, verdict.confidence] for verdict in attempt.verdicts],
        "seconds": round(attempt.seconds, 6),
        "tokens": attempt.usage.total_tokens,
        "cost": attempt.cost,
        "joules": attempt.joules,
    }
