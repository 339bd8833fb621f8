"""What to do next, as one pure function of what has happened so far."""

from collections.abc import Sequence
from typing import Literal

from router.contract import stopped
from router.errors import (
    CascadeExhausted,
    ContextTooLong,
    DeadlineExceeded,
    EngineFailure,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    InvalidRequest,
    MaxTokensTooSmall,
    SmallfirstError,
)
from router.types import Attempt, Budget, Decision, GenerationRequest
from router.types.records import record

REFUSED = "refused"
"""The reason of a guard's verdict that no other tier may answer either."""
_FAILURES: dict[str, type[EngineFailure]] = {"timeout": EngineTimeout, "overloaded": EngineOverloaded}
_TOO_LONG = "context_length_exceeded"


@record(frozen=True, slots=True)
class Rules:
    """The operator's choices for a route; `repair` is the number of further tries a tier gets when told its violations.

    Of a deadline the last `reserve` seconds are the last tier's alone (`None`: half of it). A draft that takes longer than `hedge_after`
    seconds gets the next tier as its rival (`None`: never).
    """

    repair: int = 1
    when_all_abstain: Literal["defer", "accept"] = "defer"
    when_exhausted: Literal["best", "error"] = "best"
    reserve: float | None = None
    hedge_after: float | None = None


@record(frozen=True, slots=True)
class Try:
    """Ask this tier afresh."""

    tier: str


@record(frozen=True, slots=True)
class Repair:
    """Ask the same tier once more, told what was wrong with the last attempt."""

    tier: str


@record(frozen=True, slots=True)
class Return:
    """Give the client the attempt of this index."""

    index: int


@record(frozen=True, slots=True)
class GiveUp:
    """There is nothing left to try and nothing worth giving."""

    error: SmallfirstError


Step = Try | Repair | Return | GiveUp


def next_step(
    request: GenerationRequest, decision: Decision, attempts: Sequence[Attempt], rules: Rules, *, spent: float = 0.0, elapsed: float = 0.0
) -> Step:
    """The next step after `attempts`, `spent` dollars and `elapsed` seconds.

    It ends: each permitted tier is tried once and repaired at most `rules.repair` times, `most_attempts` in all. Repairs never take the
    attempts of the tiers above, nor the time that is kept for the last one.
    """
    if not attempts:
        return Try(decision.permitted[0])
    last = attempts[-1]
    if last.deferral is None:
        return Return(len(attempts) - 1)
    if _refused(last):
        return GiveUp(CascadeExhausted("a guard of this route refuses the answer"))
    left = most_attempts(request.budget, decision, rules) - len(attempts)
    if left <= 0 or _spent(request.budget, spent, elapsed):
        return _exhausted(request, attempts, rules, elapsed)
    rest = decision.permitted[decision.permitted.index(last.tier) + 1 :]
    hurried = bool(rest) and time_left(request.budget, decision, last.tier, rules, elapsed) == 0
    if not hurried and left > len(rest) and _worth_repairing(attempts, rules):
        return Repair(last.tier)
    if not rest:
        return _exhausted(request, attempts, rules, elapsed)
    return Try(rest[-1] if hurried or left == 1 else rest[0])


def most_attempts(budget: Budget, decision: Decision, rules: Rules) -> int:
    """The cap on amplification: what the budget says, by default twice the permitted tiers and the repairs of one."""
    return 2 * len(decision.permitted) + rules.repair if budget.max_attempts is None else budget.max_attempts


def time_left(budget: Budget, decision: Decision, tier: str, rules: Rules, elapsed: float) -> float | None:
    """Seconds that a call on this tier may take: all that is left on the last one, below it only what is not kept for that."""
    if budget.deadline is None:
        return None
    kept = 0.0 if is_last(tier, decision) else _reserve(budget.deadline, rules)
    return max(0.0, budget.deadline - kept - elapsed)


def too_late(budget: Budget, rules: Rules, usual: float | None, elapsed: float) -> bool:
    """Whether a draft that usually takes `usual` seconds (`None`: not known) would run into the time kept for the last tier."""
    if budget.deadline is None:
        return False
    left = budget.deadline - _reserve(budget.deadline, rules) - elapsed
    return left <= 0 or (usual is not None and usual > left)


def _reserve(deadline: float, rules: Rules) -> float:
    return deadline / 2 if rules.reserve is None else rules.reserve


def settles(attempt: Attempt) -> bool:
    """Whether nothing after this attempt could matter: it is kept, or a guard refuses it for every tier."""
    return not attempt.cancelled and (attempt.deferral is None or _refused(attempt))


def rival(request: GenerationRequest, decision: Decision, attempts: Sequence[Attempt], tier: str, rules: Rules) -> str | None:
    """The tier that starts too when a draft of this one takes long; `None` where there is none, or no attempts are left for both."""
    if rules.hedge_after is None or is_last(tier, decision):
        return None
    if most_attempts(request.budget, decision, rules) < len(attempts) + 2:
        return None
    return decision.permitted[decision.permitted.index(tier) + 1]


def is_last(tier: str, decision: Decision) -> bool:
    """Whether there is nothing to defer to after this tier, so that only the hard gates may reject."""
    return tier == decision.permitted[-1]


def _refused(attempt: Attempt) -> bool:
    return attempt.deferral == "guard" and attempt.verdicts[-1].reason == REFUSED


def _spent(budget: Budget, spent: float, elapsed: float) -> bool:
    return (budget.max_cost is not None and spent >= budget.max_cost) or _late(budget, elapsed)


def _late(budget: Budget, elapsed: float) -> bool:
    return budget.deadline is not None and elapsed >= budget.deadline


def _worth_repairing(attempts: Sequence[Attempt], rules: Rules) -> bool:
    """Where the verifier that deferred says so and names what is wrong; a cut-off answer or an engine's failure would only happen again."""
    last = attempts[-1]
    repairs = sum(attempt.tier == last.tier and attempt.kind == "repair" for attempt in attempts)
    said = bool(last.verdicts) and last.verdicts[-1].repairable and bool(last.violations)
    return said and last.generation is not None and repairs < rules.repair


def _exhausted(request: GenerationRequest, attempts: Sequence[Attempt], rules: Rules, elapsed: float) -> Step:
    best = _best(attempts)
    if best is not None and rules.when_exhausted == "best":
        return Return(best)
    return GiveUp(_reason(request, attempts, elapsed))


def _best(attempts: Sequence[Attempt]) -> int | None:
    """The attempt that satisfies the contract with the highest confidence; of equals, the one of the larger tier."""
    fit = [index for index, attempt in enumerate(attempts) if attempt.satisfies_contract]
    return max(fit, key=lambda index: (attempts[index].confidence or 0.0, index)) if fit else None


def _reason(request: GenerationRequest, attempts: Sequence[Attempt], elapsed: float) -> SmallfirstError:
    if _late(request.budget, elapsed):
        return DeadlineExceeded("the deadline passed before an answer could be kept")
    if request.sampling.max_tokens is not None and all(attempt.deferral == "length" for attempt in attempts):
        return MaxTokensTooSmall("no tier could finish an answer of the required form within max_tokens", param="max_tokens")
    if request.sampling.stop and all(_stopped(request, attempt) for attempt in attempts):
        return InvalidRequest("stop: one of these texts ended every answer before it had the required form", param="stop")
    failure = attempts[-1].failure
    if failure is None:
        return CascadeExhausted("no tier gave an answer of the required form")
    if failure.code == _TOO_LONG:
        return ContextTooLong(failure.message, param="messages")
    kind = _FAILURES.get(failure.code, EngineFailure if failure.retryable else EngineRejected)
    error = kind(failure.message)
    error.retry_after = failure.retry_after
    return error


def _stopped(request: GenerationRequest, attempt: Attempt) -> bool:
    drafts = attempt.generation.choices if attempt.generation is not None and attempt.deferral == "contract" else ()
    return any(stopped(request.contract, draft.text, request.sampling.stop) for draft in drafts)
