"""What attempts add to the metrics, and what is said of them in one word."""

from collections.abc import Sequence

from router.types import Attempt, Outcome, Ruling
from server.observers.metrics.families import Families
from server.observers.tally import Tally

Said = tuple[str, Ruling]


def tally_of(
    to: Families, route: str, tier: str, kind: str, result: str, spent_on: str, deferral: str | None, sure: bool, said: Sequence[Said]
) -> Tally:
    """The tally of attempts that these words describe; those that are `sure` have a confidence."""
    ones = [to.of(to.attempts, route, tier, result)]
    ones += [to.of(to.repairs, route, tier, result)] if kind == "repair" else []
    ones += [to.of(to.deferrals, route, tier, deferral)] if deferral is not None else []
    ones += [to.of(to.verdicts, route, tier, verifier, ruling.value) for verifier, ruling in said]
    for verifier, ruling in said:
        checks = {"contract": to.schema_checks, "function": to.tool_calls}.get(verifier)
        if checks is not None and ruling in (Ruling.ACCEPT, Ruling.DEFER):
            ones.append(to.of(checks, route, tier, "true" if ruling is Ruling.ACCEPT else "false"))
    tokens = (to.of(to.tokens, route, tier, kind) for kind in ("prompt", "completion"))
    spreads = [to.of(to.attempt_seconds, route, tier), *([to.of(to.confidence, route, tier)] if sure else [])]
    return Tally(ones, (to.of(to.cost, route, tier, spent_on), *tokens), spreads)


def result(attempt: Attempt, *, answered: bool) -> str:
    """What became of it."""
    if attempt.cancelled:
        return "cancelled"
    if attempt.failure is not None:
        return "failed"
    return "kept" if answered else "deferred"


def spent_on(attempt: Attempt, *, answered: bool) -> str:
    """What its dollars were for."""
    if attempt.cancelled:
        return "cancelled"
    if answered:
        return "answer"
    return "repair" if attempt.kind == "repair" else "draft"


def success(outcome: Outcome, kept: Attempt | None) -> str | None:
    """Our own verdict: verified if a verifier accepted and none objected; no task where the client left or nothing was tried."""
    if kept is not None and outcome.code == "ok":
        vouched = kept.deferral is None and Ruling.ACCEPT in [verdict.ruling for verdict in kept.verdicts]
        return "verified" if vouched else "unverified"
    return "failed" if outcome.attempts and outcome.code != "cancelled" else None
