"""Which tiers a request may use at all."""

from typing import Any

import pytest

from router.errors import (
    AccessDenied,
    CascadeExhausted,
    ContextTooLong,
    InvalidRequest,
    ResidencyForbidden,
    SmallfirstError,
    UnsupportedParameter,
)
from router.gate import TierState, decide
from router.types import Decision, GenerationRequest, Message, Part, Sampling, Tier

SMALL = Tier("small", "slm", context=100)
LARGE = Tier("large", "llm", context=1000, modalities=frozenset({"text", "image"}), location="outside")


def request(**fields: Any) -> GenerationRequest:
    return GenerationRequest("r", "auto", fields.pop("messages", (Message("user", (Part("text", "hi"),)),)), **fields)


def states(tokens: int = 10, **small: Any) -> dict[str, TierState]:
    return {"small": TierState(tokens, **small), "large": TierState(tokens)}


def test_the_smallest_tier_comes_first() -> None:
    assert decide(request(), (SMALL, LARGE), states()).permitted == ("small", "large")


@pytest.mark.parametrize(
    ("asked", "known", "reason"),
    [
        (request(), states(500), "context"),
        (request(sampling=Sampling(max_tokens=95)), states(10), "context"),
        (request(messages=(Message("user", (Part("image"),)),)), states(), "modality"),
        (request(), states(available=False), "breaker_open"),
        (request(), states(supported=False), "contract"),
    ],
)
def test_a_tier_that_cannot_serve_is_skipped_with_its_reason(asked: GenerationRequest, known: dict[str, TierState], reason: str) -> None:
    decision = decide(asked, (SMALL, LARGE), known)
    assert decision.permitted == ("large",)
    assert [(skip.tier, skip.reason) for skip in decision.skipped] == [("small", reason)]


def test_a_tier_outside_is_closed_to_a_request_that_must_stay_inside() -> None:
    assert decide(request(inside_only=True), (SMALL, LARGE), states()).permitted == ("small",)


@pytest.mark.parametrize(
    ("asked", "tiers", "known", "error"),
    [
        (request(inside_only=True), (LARGE,), states(), ResidencyForbidden),
        (request(), (SMALL, LARGE), states(5000), ContextTooLong),
        (request(messages=(Message("user", (Part("audio"),)),)), (SMALL, LARGE), states(), UnsupportedParameter),
        (request(), (SMALL,), states(available=False), CascadeExhausted),
        (request(pinned="medium"), (SMALL, LARGE), states(), InvalidRequest),
    ],
)
def test_a_request_that_no_tier_may_answer_is_refused_by_name(
    asked: GenerationRequest, tiers: tuple[Tier, ...], known: dict[str, TierState], error: type[SmallfirstError]
) -> None:
    with pytest.raises(error):
        decide(asked, tiers, known)


def test_a_hopeless_request_starts_one_tier_up_but_never_loses_the_last() -> None:
    assert decide(request(), (SMALL, LARGE), states(), hopeless=True).permitted == ("large",)
    assert decide(request(), (SMALL,), states(), hopeless=True).permitted == ("small",)


def test_a_draft_that_the_deadline_leaves_no_time_for_is_not_tried_but_the_last_tier_always_is() -> None:
    decision = decide(request(), (SMALL, LARGE), states(late=True))
    assert decision.permitted == ("large",)
    assert [(skip.tier, skip.reason) for skip in decision.skipped] == [("small", "timeout")]
    assert decide(request(), (SMALL,), states(late=True)).permitted == ("small",)
    assert decide(request(pinned="small"), (SMALL, LARGE), states(late=True)).permitted == ("small",)


def test_a_pinned_tier_is_the_only_candidate() -> None:
    assert decide(request(pinned="small"), (SMALL, LARGE), states()) == Decision(("small",), (), "pinned to small")


def test_a_caller_is_answered_by_the_tiers_that_are_theirs() -> None:
    assert decide(request(tiers=frozenset({"large"})), (SMALL, LARGE), states()).permitted == ("large",)
    for asked in (request(tiers=frozenset()), request(tiers=frozenset({"small"}), pinned="large")):
        with pytest.raises(AccessDenied):
            decide(asked, (SMALL, LARGE), states())


def test_tiers_that_are_of_no_use_are_passed_over_but_never_the_last_one() -> None:
    for known, reason in ((states(late=True), "timeout"), (states(foreign=True), "gate")):
        decision = decide(request(), (SMALL, LARGE), known)
        assert (decision.permitted, [skip.reason for skip in decision.skipped]) == (("large",), [reason])
        assert decide(request(), (SMALL,), known).permitted == ("small",)
        assert decide(request(pinned="small"), (SMALL, LARGE), known).permitted == ("small",)
