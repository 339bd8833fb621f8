"""The account of a request: headers, and the `smallfirst` object; paths and reasons, a rejected draft's values only for administrators."""

from router.types import Attempt, Outcome, Verdict

Header = tuple[bytes, bytes]
Json = dict[str, object]


def headers(outcome: Outcome, tier: str | None) -> list[Header]:
    """What is known when the response starts, dollars without exponent; `tier` is the one that answers, `None` where none does."""
    kept = outcome.kept
    confidence = kept.confidence if kept else None
    told = [
        (b"x-smallfirst-route", outcome.route.encode("latin-1")),
        (b"x-smallfirst-attempts", b"%d" % len(outcome.attempts)),
        (b"x-smallfirst-deferrals", ",".join(outcome.deferrals).encode("latin-1")),
        (b"x-smallfirst-cost-usd", b"%.10f" % outcome.cost),
    ]
    if tier:
        told.append((b"x-smallfirst-tier", tier.encode("latin-1")))
    if confidence is not None:
        told.append((b"x-smallfirst-confidence", b"%.4f" % confidence))
    return told


def named_route(route: str) -> Header:
    """What is known of an answer from the beginning."""
    return b"x-smallfirst-route", route.encode("latin-1")


def totals(outcome: Outcome) -> Json:
    """What all attempts took together."""
    kept = outcome.kept
    return {
        "route": outcome.route,
        "tier": kept.tier if kept else None,
        "attempt_count": len(outcome.attempts),
        "deferrals": list(outcome.deferrals),
        "confidence": kept.confidence if kept else None,
        "cost_usd": outcome.cost,
        "seconds": round(outcome.seconds, 6),
        "usage": _tokens(outcome.usage.prompt_tokens, outcome.usage.completion_tokens),
        "joules": outcome.joules,
        "energy_method": outcome.energy.method if outcome.energy else None,
    }


def explanation(outcome: Outcome, *, drafts: bool = False) -> Json:
    """The totals, the decision and every attempt with its verdicts; with `drafts` also what the attempts said."""
    skipped = [{"tier": skip.tier, "reason": skip.reason} for skip in outcome.decision.skipped]
    decision = {"permitted": list(outcome.decision.permitted), "skipped": skipped, "why": outcome.decision.why}
    return {**totals(outcome), "decision": decision, "attempts": [_attempt(attempt, drafts) for attempt in outcome.attempts]}


def _attempt(attempt: Attempt, drafts: bool) -> Json:
    said = [choice.text for choice in attempt.generation.choices] if drafts and attempt.generation else None
    return _told(attempt) if said is None else _told(attempt) | {"drafts": said}


def _told(attempt: Attempt) -> Json:
    return {
        "tier": attempt.tier,
        "kind": attempt.kind,
        "deferral": attempt.deferral,
        "error": attempt.failure.code if attempt.failure else None,
        "cancelled": attempt.cancelled,
        "verdicts": list(map(_verdict, attempt.verdicts)),
        "seconds": round(attempt.seconds, 6),
        "usage": _tokens(attempt.usage.prompt_tokens, attempt.usage.completion_tokens),
        "cost_usd": attempt.cost,
        "joules": attempt.joules,
        "energy_method": attempt.energy.method if attempt.energy else None,
    }


def _verdict(verdict: Verdict) -> Json:
    """A violation's message may quote the draft, so only its path is told."""
    return {
        "verifier": verdict.verifier,
        "ruling": verdict.ruling,
        "reason": verdict.reason,
        "confidence": verdict.confidence,
        "cost_usd": verdict.cost,
        "violations": [violation.path for violation in verdict.violations],
    }


def _tokens(prompt: int, completion: int) -> Json:
    return {"prompt_tokens": prompt, "completion_tokens": completion}
