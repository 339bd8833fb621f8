"""What happened to a request: the tiers that were open, the attempts, and what they came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from operator import attrgetter
from typing import Any, Literal

from router.types.asked import Violation
from router.types.calls import Generation
from router.types.metered import Aside, Energy, Usage, together
from router.types.records import record
from router.types.ruled import HARD_GATES, Reason, Ruling, Verdict

_reason: Callable[[Skip], Reason] = attrgetter("reason")
_deferral: Callable[[Attempt], Any] = attrgetter("deferral")
_cost: Callable[[Verdict], float] = attrgetter("cost")


@record(frozen=True, slots=True)
class Skip:
    """A tier that is not tried for this request, and why."""

    tier: str
    reason: Reason


@record(frozen=True, slots=True)
class Decision:
    """Where to start and which rungs are open: the permitted tiers in order, those passed over, and a sentence for people."""

    permitted: tuple[str, ...]
    skipped: tuple[Skip, ...] = ()
    why: str = ""


@record(frozen=True, slots=True)
class Failure:
    """An engine's error as a value; `retry_after` is in seconds, where the engine said when to come again."""

    code: str
    message: str
    retryable: bool = True
    retry_after: float | None = None


@record(frozen=True, slots=True)
class Attempt:
    """One generation on one tier with what was said of it; `deferral` is why it was not kept, `None` if it was.

    It began `began` seconds after its request arrived and took `seconds`; `energy` is the generation's alone, verdicts have their own.
    `at_fault` is the choice that was not kept.
    """

    tier: str
    kind: Literal["try", "repair"]
    generation: Generation | None
    failure: Failure | None = None
    verdicts: tuple[Verdict, ...] = ()
    deferral: Reason | None = None
    seconds: float = 0.0
    usage: Usage = Usage()
    cost: float = 0.0
    energy: Energy | None = None
    cancelled: bool = False
    began: float = 0.0
    at_fault: int = 0

    @property
    def joules(self) -> float | None:
        """Of the generation; `None` where nothing measured them."""
        return None if self.energy is None else self.energy.joules

    @property
    def confidence(self) -> float | None:
        """The last calibrated confidence any verifier gave."""
        for verdict in reversed(self.verdicts):
            if verdict.confidence is not None:
                return verdict.confidence
        return None

    @property
    def satisfies_contract(self) -> bool:
        """Whether no hard gate (contract, function, guard) objected; such an answer may serve as the best one seen."""
        hard = [v for v in self.verdicts if v.verifier in HARD_GATES]
        return self.generation is not None and all(v.ruling in (Ruling.ACCEPT, Ruling.NOT_APPLICABLE) for v in hard)

    @property
    def violations(self) -> tuple[Violation, ...]:
        return tuple(violation for v in self.verdicts for violation in v.violations)


@record(frozen=True, slots=True)
class Outcome:
    """All that happened to one request: the one record that metrics, logs, store and answer observe."""

    request_id: str
    route: str
    decision: Decision
    attempts: tuple[Attempt, ...]
    answer: int | None
    code: str = "ok"
    seconds: float = 0.0
    first_token_seconds: float | None = None
    aside: Aside = field(default=Aside())
    stream: bool = False
    told: dict[bool, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What observers have put into words already, by whether it may quote an answer."""

    @property
    def climbed(self) -> bool:
        """Whether more than one tier was tried."""
        return len(self.attempts) > 1 and any(attempt.tier != self.attempts[0].tier for attempt in self.attempts)

    @property
    def kept(self) -> Attempt | None:
        """The attempt whose text the client got."""
        return None if self.answer is None else self.attempts[self.answer]

    @property
    def cost(self) -> float:
        """Dollars of everything: attempts, verifiers, repairs, guards, rankers."""
        cost = self.aside.cost
        for attempt in self.attempts:
            cost = sum(map(_cost, attempt.verdicts), cost + attempt.cost)
        return cost

    @property
    def usage(self) -> Usage:
        """Tokens of all attempts."""
        return self.attempts[0].usage if len(self.attempts) == 1 else sum([a.usage for a in self.attempts], Usage())

    @property
    def all_tokens(self) -> int:
        """Tokens of all attempts, and of the verifiers, guards and rankers that asked a model."""
        judged = sum(verdict.usage.total_tokens for attempt in self.attempts for verdict in attempt.verdicts)
        return self.usage.total_tokens + judged + self.aside.usage.total_tokens

    @property
    def deferrals(self) -> tuple[Reason, ...]:
        """Reasons in the order they arose, skipped tiers first."""
        return (*map(_reason, self.decision.skipped), *filter(None, map(_deferral, self.attempts)))

    @property
    def energy(self) -> Energy | None:
        """Of all attempts, and of the verifiers, guards and rankers that asked a model, `None` where any of them went unmeasured."""
        parts: list[Energy | None] = []
        for attempt in self.attempts:
            if attempt.energy is None:
                return None
            parts.append(attempt.energy)
            parts += [v.energy for v in attempt.verdicts if v.energy is not None or v.usage.total_tokens]
        return together([*parts, *self.aside.energies])

    @property
    def joules(self) -> float | None:
        """The same without how it became known."""
        return None if (energy := self.energy) is None else energy.joules
