"""Inside a tool loop the tier that made the call goes on, known by the call's id alone."""

import re

import pytest

from router.gate import TierState, decide
from router.loops import call_id, going_on
from router.types import GenerationRequest, Message, Part, Tier, ToolCall

TIERS = (Tier("tiny", "a"), Tier("small", "b"), Tier("large", "c"))
STATES = {tier.name: TierState(10) for tier in TIERS}


def loop(*ids: str, then: tuple[Message, ...] = ()) -> tuple[Message, ...]:
    called = Message("assistant", tool_calls=tuple(ToolCall(id_, "f", "{}") for id_ in ids))
    results = (Message("tool", (Part("text", "done"),), tool_call_id=id_) for id_ in ids)
    return (Message("user", (Part("text", "hi"),)), called, *results, *then)


def test_ids_are_new_every_time_short_and_safe() -> None:
    made = {call_id("small") for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"call_[0-9a-f_]{31}", one) and len(one) <= 40 for one in made)
    assert not any("small" in one for one in made)


@pytest.mark.parametrize("tier", ["tiny", "small", "large"])
def test_the_id_of_an_answered_call_leads_back_to_its_tier(tier: str) -> None:
    assert going_on(loop(call_id(tier), call_id(tier)), TIERS) == tier


@pytest.mark.parametrize("foreign", ["call_abc", "call_00000000_0000000000000000000000", "chatcmpl-tool-1", "call__", "x" * 500])
def test_foreign_ids_say_nothing(foreign: str) -> None:
    assert going_on(loop(foreign), TIERS) is None


def test_only_a_conversation_that_ends_in_results_is_a_loop() -> None:
    assert going_on(loop(call_id("large"), then=(Message("user", (Part("text", "thanks"),)),)), TIERS) is None
    assert going_on(loop(), TIERS) is None
    assert going_on((), TIERS) is None


def request(**fields: object) -> GenerationRequest:
    return GenerationRequest("r", "auto", loop(), **fields)  # type: ignore[arg-type]


def test_the_climb_goes_on_from_that_tier_and_the_decision_says_so() -> None:
    decision = decide(request(), TIERS, STATES, looping="small")
    assert (decision.permitted, decision.skipped) == (("small", "large"), ())
    assert decision.why == "start on small; small made the tool calls"


def test_the_learned_difficulty_does_not_move_a_loop() -> None:
    assert decide(request(), TIERS, STATES, hopeless=True, looping="tiny").permitted == ("tiny", "small", "large")


def test_where_that_tier_is_closed_the_next_one_up_goes_on() -> None:
    states = STATES | {"small": TierState(10, available=False)}
    assert decide(request(), TIERS, states, looping="small").permitted == ("large",)
    states |= {"large": TierState(10, available=False)}
    assert decide(request(), TIERS, states, looping="small").permitted == ("tiny",)


def test_a_pinned_tier_stays_pinned() -> None:
    assert decide(request(pinned="tiny"), TIERS, STATES, looping="large").permitted == ("tiny",)
