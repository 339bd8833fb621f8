"""Labels that cost nothing: a draft that was passed over beside the answer that the last tier then gave."""

from collections.abc import Iterator, Sequence

from router.calibration.comparing import same
from router.calibration.family import family
from router.types import Attempt, GenerationRequest, Outcome
from server.observers.outcomes.ports import Label


def escalated(request: GenerationRequest, outcome: Outcome, at: float) -> Sequence[Label]:
    """One label for each smaller tier's last draft, of weight 1: every escalation makes them.

    In shadow mode the passed-over draft is one that the verifiers kept; elsewhere it is one that they did not keep.
    """
    if len(outcome.attempts) < 2:
        return ()
    reference = outcome.kept
    if reference is None or outcome.code != "ok" or reference.tier != outcome.decision.permitted[-1]:
        return ()
    return tuple(_labels(request, outcome, reference, at))


def audit(
    request: GenerationRequest, outcome: Outcome, draft: Attempt, at: float, *, correct: float, weight: float = 1.0, cost: float = 0.0,
    detail: str | None = None,
) -> Label:  # fmt: skip
    """A label that rests on the last tier's answer."""
    return Label(
        outcome.request_id, draft.tier, "audit", correct, weight, outcome.route, family(request), draft.confidence, draft.deferral is None,
        at, at, cost, detail,
    )  # fmt: skip


def _labels(request: GenerationRequest, outcome: Outcome, reference: Attempt, at: float) -> Iterator[Label]:
    if reference.generation is None or len(reference.generation.choices) != 1:
        return
    answer = reference.generation.choices[0]
    drafts = {attempt.tier: attempt for attempt in outcome.attempts if attempt.generation is not None and attempt.tier != reference.tier}
    for draft in drafts.values():
        generation = draft.generation
        agreed = same(request.contract, generation.choices[0], answer) if generation else None
        if agreed is not None:
            yield audit(request, outcome, draft, at, correct=float(agreed))
