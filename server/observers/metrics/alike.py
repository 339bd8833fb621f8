"""Outcomes that are alike: the words that they share, the numbers in which they differ, and what both add to the metrics."""

from collections.abc import Callable, Hashable
from operator import attrgetter

from prometheus_client import Counter

from router.types import Attempt, Outcome, Ruling, Verdict
from server.observers.metrics.families import Families
from server.observers.tally import Spread, Tally, Tell

Numbers = list[float | None]

_said: Callable[[Verdict], tuple[str, Ruling]] = attrgetter("verifier", "ruling")


def words(outcome: Outcome) -> Hashable:
    """All that `tally_of` reads of it: closed sets, never a user's text."""
    attempts = [
        (attempt.tier, attempt.kind, attempt.deferral, attempt.cancelled, attempt.failure is None, *map(_said, attempt.verdicts))
        for attempt in outcome.attempts
    ]
    return (outcome.route, outcome.code, outcome.answer, outcome.decision.skipped, *attempts)


def numbers(outcome: Outcome, large_only: float | None) -> Numbers:
    """A number for each column of its tally; `large_only` is what its answer had cost on the last tier alone, in dollars."""
    found: Numbers = [outcome.seconds, outcome.first_token_seconds, large_only]
    for attempt in outcome.attempts:
        usage = attempt.usage
        found += (attempt.seconds, attempt.confidence, attempt.cost, usage.prompt_tokens, usage.completion_tokens)
    return found


def tally_of(to: Families, outcome: Outcome) -> Tally:
    """The tally of all outcomes with the words of this one."""
    route, kept = outcome.route, outcome.kept
    achieved, path = success(outcome, kept), "escalated" if outcome.climbed else "direct"
    ones = [to.of(to.requests, route, kept.tier if kept else "", outcome.code)]
    ones += [to.of(to.tasks, route, achieved)] if achieved else []
    ones += [to.of(to.deferrals, route, skip.tier, skip.reason) for skip in outcome.decision.skipped]
    columns = [spread(to, to.seconds, route, path), spread(to, to.first_token, route), _sum(to, to.large_only, route)]
    for attempt in outcome.attempts:
        answered, tier = attempt is kept, attempt.tier
        ones += _ones(to, route, attempt, result(attempt, answered=answered))
        columns += [spread(to, to.attempt_seconds, route, tier), spread(to, to.confidence, route, tier)]
        columns.append(_sum(to, to.cost, route, tier, spent_on(attempt, answered=answered)))
        columns += [_sum(to, to.tokens, route, tier, kind) for kind in ("prompt", "completion")]
    return Tally(ones, columns)


def _ones(to: Families, route: str, attempt: Attempt, became: str) -> list[Counter]:
    tier, deferral = attempt.tier, attempt.deferral
    ones = [to.of(to.attempts, route, tier, became)]
    ones += [to.of(to.repairs, route, tier, became)] if attempt.kind == "repair" else []
    ones += [to.of(to.deferrals, route, tier, deferral)] if deferral is not None else []
    for verifier, ruling in map(_said, attempt.verdicts):
        ones.append(to.of(to.verdicts, route, tier, verifier, ruling.value))
        checks = {"contract": to.schema_checks, "function": to.tool_calls}.get(verifier)
        if checks is not None and ruling in (Ruling.ACCEPT, Ruling.DEFER):
            ones.append(to.of(checks, route, tier, "true" if ruling is Ruling.ACCEPT else "false"))
    return ones


def _sum(to: Families, counter: Counter, *labels: str) -> Tell:
    """The counter goes up by all of them; it is first shown then."""
    return lambda known: to.of(counter, *labels).inc(sum(known))


def spread(to: Families, seen_by: Spread, *labels: str) -> Tell:
    """The histogram sees each of them; it is first shown then."""
    return lambda known: to.of(seen_by, *labels).see(known)


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
