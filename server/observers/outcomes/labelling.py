"""Labels that cost nothing: a draft that was passed over beside the answer that the last tier then gave."""

from collections.abc import Iterator

from router.calibration.comparing import same
from router.calibration.family import family
from router.types import Attempt, GenerationRequest, Outcome
from server.observers.outcomes.ports import Label


def escalated(request: GenerationRequest, outcome: Outcome, at: float) -> Iterator[Label]:
    """One label for each smaller tier's last draft, of weight 1: every escalation makes them.

    In shadow mode the passed-over draft is one that the verifiers kept; elsewhere it is one that they did not keep.
    """
    reference = _reference(outcome)
    if reference is None or reference.generation is None:
        return
    answer = reference.generation.choices[0]
    drafts = {attempt.tier: attempt for attempt in outcome.attempts if attempt.generation is not None and attempt.tier != reference.tier}
    for draft in drafts.values():
        generation = draft.generation
        agreed = same(request.contract, generation.choices[0], answer) if generation else None
        if agreed is not None:
            yield audit(request, outcome, draft, at, correct=float(agreed))


def audit(
    request: GenerationRequest, outcome: Outcome, draft: Attempt, at: float, *, correct: float, weight: float = 1.0, cost: float = 0.0,
    detail: str | None = None,
) -> Label:  # fmt: skip
    """A label that rests on the last tier's answer."""
    return Label(
        outcome.request_id, draft.tier, "audit", correct, weight, outcome.route, family(request), draft.confidence, draft.deferral is None,
        at, at, cost, detail,
    )  # fmt: skip


def _reference(outcome: Outcome) -> Attempt | None:
    """The answer, if the last permitted tier gave it, and gave one only."""
    kept = outcome.kept
    if kept is None or outcome.code != "ok" or kept.tier != outcome.decision.permitted[-1]:
        return None
    return kept if kept.generation is not None and len(kept.generation.choices) == 1 else None
