"""Before any generation: which tiers may answer this request, and where to start."""

from collections.abc import Mapping, Sequence

from router.errors import (
    AccessDenied,
    CascadeExhausted,
    ContextTooLong,
    InvalidRequest,
    ResidencyForbidden,
    SmallfirstError,
    UnsupportedParameter,
)
from router.types import Decision, GenerationRequest, Reason, Skip, Tier
from router.types.records import record

_ERRORS: dict[Reason, tuple[type[SmallfirstError], str, str | None]] = {
    "guard": (AccessDenied, "a guard of this route lets no tier answer this request", "messages"),
    "residency": (ResidencyForbidden, "every tier of this route lies where this request's data may not go", None),
    "modality": (UnsupportedParameter, "no tier of this route reads this kind of content", "messages"),
    "context": (ContextTooLong, "the conversation and its answer do not fit the context of any tier", "messages"),
    "contract": (UnsupportedParameter, "no tier of this route can be held to this form of answer", "response_format"),
    "breaker_open": (CascadeExhausted, "no engine of this route is healthy", None),
}


@record(frozen=True, slots=True)
class TierState:
    """What is known of a tier for one request: the prompt's tokens, whether its engine is up, can be held to the contract, may see it.

    `late` says that its draft would run into the time that the deadline keeps for the last tier, `foreign` that it does not know the
    request's language.
    """

    prompt_tokens: int
    available: bool = True
    supported: bool = True
    guarded: bool = False
    late: bool = False
    foreign: bool = False


def decide(
    request: GenerationRequest,
    tiers: Sequence[Tier],
    states: Mapping[str, TierState],
    *,
    hopeless: bool = False,
    looping: str | None = None,
) -> Decision:
    """The permitted tiers in order; raises the error that names why none is left.

    `hopeless` says that the learned difficulty sees no use in the first tier; it never closes the last one. `looping` is the tier whose
    tool calls were answered: it goes on, or where it is closed the next one up. A pinned tier is the only candidate.
    """
    free = request.pinned is None and request.tiers is None
    candidates, modalities = tiers if free else _candidates(request, tiers), request.modalities
    permitted: list[str] = []
    skipped: list[Skip] = []
    for tier in candidates:
        name = tier.name
        if reason := _obstacle(request, modalities, tier, states[name]):
            skipped.append(Skip(name, reason))
        else:
            permitted.append(name)
    if not permitted:
        raise _error(skipped)
    if request.pinned is None:
        for name in permitted[:-1]:  # each could answer, but is of no use; never asked of the last one
            if states[name].late or states[name].foreign:
                skipped.append(Skip(name, "timeout" if states[name].late else "gate"))
                permitted.remove(name)
    if request.pinned is None and looping is not None and (onward := _onward(looping, candidates, permitted)):
        return Decision(onward, tuple(skipped), _why(onward, skipped, request) + f"; {looping} made the tool calls")
    if hopeless and len(permitted) > 1:
        skipped.append(Skip(permitted.pop(0), "gate"))
    return Decision(tuple(permitted), tuple(skipped), _why(permitted, skipped, request))


def _onward(tier: str, candidates: Sequence[Tier], permitted: Sequence[str]) -> tuple[str, ...]:
    """What is permitted from this tier upwards."""
    names = [candidate.name for candidate in candidates]
    above = names[names.index(tier) :] if tier in names else []
    return tuple(name for name in permitted if name in above)


def _candidates(request: GenerationRequest, tiers: Sequence[Tier]) -> Sequence[Tier]:
    """What the caller may use of these tiers, or the pinned one."""
    chosen = tiers if request.pinned is None else [tier for tier in tiers if tier.name == request.pinned]
    if not chosen:
        raise InvalidRequest(f"the route has no tier {request.pinned!r}", param="model")
    allowed = chosen if request.tiers is None else [tier for tier in chosen if tier.name in request.tiers]
    if not allowed:
        raise AccessDenied(f"this key or task may not use {request.pinned or 'any tier of this route'}", param="model")
    return allowed


def _obstacle(request: GenerationRequest, modalities: frozenset[str], tier: Tier, state: TierState) -> Reason | None:
    if request.inside_only and tier.location == "outside":
        return "residency"
    if state.guarded:
        return "guard"
    if not modalities <= tier.modalities:
        return "modality"
    if not state.supported:
        return "contract"
    if tier.context is not None and not fits(request, tier, state.prompt_tokens):
        return "context"
    return None if state.available else "breaker_open"


def fits(request: GenerationRequest, tier: Tier, prompt_tokens: int) -> bool:
    """Whether the prompt leaves room for the answer; at least for one token of it."""
    return tier.context is None or prompt_tokens + (request.sampling.max_tokens or 1) <= tier.context


def _error(skipped: Sequence[Skip]) -> SmallfirstError:
    """The obstacle that a change of the request would remove last speaks for all."""
    reasons = {skip.reason for skip in skipped}
    kind, message, param = next(
        _ERRORS[reason] for reason in ("breaker_open", "context", "contract", "modality", "guard", "residency") if reason in reasons
    )
    return kind(message, param=param)


def _why(permitted: Sequence[str], skipped: Sequence[Skip], request: GenerationRequest) -> str:
    if request.pinned is not None:
        return f"pinned to {request.pinned}"
    if not skipped:
        return f"start on {permitted[0]}"
    passed = ", ".join([f"{skip.tier} skipped ({skip.reason})" for skip in skipped])
    return f"start on {permitted[0]}; {passed}"
