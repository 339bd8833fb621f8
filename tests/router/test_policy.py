"""next_step as a table: every combination of what happened last, where, and what is left."""

import itertools

import pytest

from router.errors import CascadeExhausted, DeadlineExceeded, EngineFailure, EngineRejected, EngineTimeout, MaxTokensTooSmall
from router.policy import GiveUp, Repair, Return, Rules, Step, Try, most_attempts, next_step, rival, time_left
from router.types import (
    Attempt,
    Budget,
    Choice,
    Decision,
    Failure,
    Generation,
    GenerationRequest,
    Message,
    Part,
    Reason,
    Ruling,
    Sampling,
    Usage,
    Verdict,
    Violation,
)

ALL = Decision(("tiny", "small", "large"))


def request(*, budget: Budget = Budget(), max_tokens: int | None = None) -> GenerationRequest:
    return GenerationRequest(
        "r", "auto", (Message("user", (Part("text", "hi"),)),), budget=budget, sampling=Sampling(max_tokens=max_tokens)
    )


def kept(tier: str) -> Attempt:
    return Attempt(tier, "try", Generation((Choice("ok", "stop"),), Usage()), verdicts=(Verdict("contract", Ruling.ACCEPT),))


def refused(tier: str, reason: Reason, *, kind: str = "try", confidence: float | None = None) -> Attempt:
    hard = reason in ("contract", "function", "length")
    verdicts = [Verdict("contract", Ruling.DEFER if hard else Ruling.ACCEPT, violations=(Violation("", "bad"),) if hard else ())]
    if not hard:
        verdicts.append(Verdict("confidence", Ruling.DEFER, confidence=confidence))
    finish = "length" if reason == "length" else "stop"
    violations = () if reason == "length" else verdicts[0].violations
    verdicts[0] = Verdict("contract", verdicts[0].ruling, violations=violations, repairable=bool(violations))
    return Attempt(
        tier, "repair" if kind == "repair" else "try", Generation((Choice("x", finish),), Usage()), None, tuple(verdicts), reason
    )


def broken(tier: str, code: str = "engine_error", *, retryable: bool = True) -> Attempt:
    return Attempt(tier, "try", None, Failure(code, "down", retryable), (), "timeout" if code == "timeout" else "engine_error")


@pytest.mark.parametrize(
    ("attempts", "rules", "expected"),
    [
        ([], Rules(), Try("tiny")),
        ([kept("tiny")], Rules(), Return(0)),
        ([refused("tiny", "confidence"), kept("small")], Rules(), Return(1)),
        ([refused("tiny", "confidence")], Rules(), Try("small")),
        ([refused("tiny", "contract")], Rules(), Repair("tiny")),
        ([refused("tiny", "function")], Rules(), Repair("tiny")),
        ([refused("tiny", "contract")], Rules(repair=0), Try("small")),
        ([refused("tiny", "contract"), refused("tiny", "contract", kind="repair")], Rules(), Try("small")),
        ([refused("tiny", "contract"), refused("tiny", "contract", kind="repair")], Rules(repair=2), Repair("tiny")),
        ([refused("tiny", "length")], Rules(), Try("small")),
        ([broken("tiny")], Rules(), Try("small")),
        ([broken("tiny"), broken("small", "timeout")], Rules(), Try("large")),
        ([refused("large", "contract")], Rules(), Repair("large")),
    ],
)
def test_the_next_step_follows_from_what_happened(attempts: list[Attempt], rules: Rules, expected: Step) -> None:
    assert next_step(request(), ALL, attempts, rules) == expected


def test_an_exhausted_cascade_returns_the_best_attempt_and_not_the_last() -> None:
    attempts = [
        refused("tiny", "confidence", confidence=0.4),
        refused("small", "confidence", confidence=0.6),
        refused("large", "contract"),
    ]
    assert next_step(request(), ALL, attempts, Rules(repair=0)) == Return(1)


def test_of_attempts_that_may_be_kept_the_surest_is_the_best_and_of_equals_the_larger_tiers() -> None:
    for confidences, best in (((0.6, 0.4), 0), ((0.4, 0.6), 1), ((0.5, 0.5), 1), ((0.5, None), 0), ((None, None), 1)):
        tiers = zip(ALL.permitted, confidences, strict=False)
        attempts = [*(refused(tier, "confidence", confidence=one) for tier, one in tiers), refused("large", "contract")]
        assert next_step(request(), ALL, attempts, Rules(repair=0)) == Return(best)


def test_an_attempt_that_breaks_its_contract_is_never_the_best() -> None:
    attempts = [refused(tier, "contract") for tier in ALL.permitted]
    step = next_step(request(), ALL, attempts, Rules(repair=0))
    assert isinstance(step, GiveUp)
    assert isinstance(step.error, CascadeExhausted)


def test_when_exhausted_error_gives_no_second_best() -> None:
    attempts = [refused("tiny", "confidence", confidence=0.9), broken("small"), broken("large")]
    step = next_step(request(), ALL, attempts, Rules(when_exhausted="error"))
    assert isinstance(step, GiveUp)
    assert type(step.error) is EngineFailure


@pytest.mark.parametrize(("code", "retryable", "error"), [("timeout", True, EngineTimeout), ("engine_error", False, EngineRejected)])
def test_the_last_tiers_failure_is_the_clients(code: str, retryable: bool, error: type[EngineFailure]) -> None:
    attempts = [broken("tiny"), broken("small"), broken("large", code, retryable=retryable)]
    step = next_step(request(), ALL, attempts, Rules())
    assert isinstance(step, GiveUp)
    assert type(step.error) is error


def test_a_contract_that_no_tier_finishes_within_max_tokens_is_the_clients_error() -> None:
    attempts = [refused(tier, "length") for tier in ALL.permitted]
    step = next_step(request(max_tokens=3), ALL, attempts, Rules())
    assert isinstance(step, GiveUp)
    assert isinstance(step.error, MaxTokensTooSmall)


def test_a_spent_budget_stops_the_climb_with_the_best_attempt() -> None:
    attempts = [refused("tiny", "confidence", confidence=0.4)]
    assert next_step(request(budget=Budget(max_cost=1.0)), ALL, attempts, Rules(), spent=1.0) == Return(0)
    assert next_step(request(budget=Budget(max_attempts=1)), ALL, attempts, Rules()) == Return(0)


def test_a_passed_deadline_without_an_answer_is_deadline_exceeded() -> None:
    step = next_step(request(budget=Budget(deadline=2.0)), ALL, [broken("tiny", "timeout")], Rules(), elapsed=2.5)
    assert isinstance(step, GiveUp)
    assert isinstance(step.error, DeadlineExceeded)


def test_every_path_ends_and_no_tier_is_tried_after_it_was_passed() -> None:
    """Whatever each attempt turns out to be, the climb ends within tries and repairs, upwards only, and only keeps what may be kept."""
    results = ("kept", "confidence", "contract", "length", "broken")
    for fates in itertools.product(results, repeat=6):
        for rules in (Rules(repair=0), Rules(repair=1), Rules(when_exhausted="error")):
            attempts: list[Attempt] = []
            for fate in (*fates, None):
                step = next_step(request(), ALL, attempts, rules)
                if isinstance(step, Return):
                    assert attempts[step.index].satisfies_contract
                    break
                if isinstance(step, GiveUp):
                    assert len({attempt.tier for attempt in attempts}) == len(ALL.permitted)
                    break
                assert fate is not None, "more attempts than tiers and repairs allow"
                if attempts:
                    assert ALL.permitted.index(step.tier) - ALL.permitted.index(attempts[-1].tier) == isinstance(step, Try)
                attempts.append(_attempt(step.tier, fate, "repair" if isinstance(step, Repair) else "try"))


def _attempt(tier: str, fate: str, kind: str) -> Attempt:
    if fate == "kept":
        return kept(tier)
    return broken(tier) if fate == "broken" else refused(tier, fate, kind=kind)  # type: ignore[arg-type]  # the names are reasons


def test_attempts_are_capped_and_repairs_never_take_the_last_tiers() -> None:
    rules = Rules(repair=8)
    assert most_attempts(Budget(), ALL, rules) == 14
    attempts: list[Attempt] = []
    while isinstance(step := next_step(request(), ALL, attempts, rules), Try | Repair):
        attempts.append(refused(step.tier, "contract", kind="repair" if isinstance(step, Repair) else "try"))
    assert len(attempts) == 14
    assert {attempt.tier for attempt in attempts} == set(ALL.permitted)


@pytest.mark.parametrize(
    ("most", "expected"), [(2, Try("large")), (3, Try("small")), (4, Repair("tiny"))], ids=["last tier next", "all tiers", "room to repair"]
)
def test_a_cap_on_attempts_is_spent_from_the_last_tier_down(most: int, expected: Step) -> None:
    assert next_step(request(budget=Budget(max_attempts=most)), ALL, [refused("tiny", "contract")], Rules()) == expected


@pytest.mark.parametrize(
    ("tier", "reserve", "elapsed", "left"),
    [
        ("tiny", None, 0.0, 5.0),
        ("small", None, 4.0, 1.0),
        ("small", None, 6.0, 0.0),
        ("large", None, 6.0, 4.0),
        ("tiny", 2.0, 1.0, 7.0),
        ("tiny", 0.0, 1.0, 9.0),
        ("large", 2.0, 11.0, 0.0),
    ],
)
def test_below_the_last_tier_the_reserve_is_out_of_reach(tier: str, reserve: float | None, elapsed: float, left: float) -> None:
    assert time_left(Budget(deadline=10.0), ALL, tier, Rules(reserve=reserve), elapsed) == left


def test_without_a_deadline_nothing_is_reserved() -> None:
    assert time_left(Budget(), ALL, "tiny", Rules(reserve=5.0), 100.0) is None


def test_when_only_the_reserve_is_left_the_last_tier_is_next() -> None:
    asked = request(budget=Budget(deadline=10.0))
    assert next_step(asked, ALL, [refused("tiny", "contract")], Rules(), elapsed=5.5) == Try("large")
    assert next_step(asked, ALL, [refused("tiny", "contract")], Rules(), elapsed=4.5) == Repair("tiny")
    assert next_step(asked, ALL, [refused("large", "contract")], Rules(), elapsed=5.5) == Repair("large")


@pytest.mark.parametrize(
    ("tier", "rules", "most", "above"),
    [
        ("tiny", Rules(), None, None),
        ("tiny", Rules(hedge_after=1.0), None, "small"),
        ("large", Rules(hedge_after=1.0), None, None),
        ("tiny", Rules(hedge_after=1.0), 1, None),
        ("tiny", Rules(hedge_after=1.0), 2, "small"),
    ],
)
def test_a_rival_is_the_next_tier_where_attempts_are_left_for_both(tier: str, rules: Rules, most: int | None, above: str | None) -> None:
    assert rival(request(budget=Budget(max_attempts=most)), ALL, [], tier, rules) == above
