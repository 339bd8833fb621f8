"""Whole climbs under any rules, budgets and fates: they end, they ask nobody twice in vain, and they return nothing that was not fit."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from router.policy import GiveUp, Repair, Return, Rules, Step, Try, most_attempts, next_step, settles
from router.types import Attempt, Budget, Decision, GenerationRequest
from tests.router.test_policy_table import ATTEMPTS

TIERS = ("tiny", "small", "large", "remote")
FATES = st.sampled_from(sorted(ATTEMPTS))
RULES = st.builds(
    Rules,
    repair=st.integers(0, 3),
    when_exhausted=st.sampled_from(["best", "error"]),
    reserve=st.none() | st.floats(0, 20),
    hedge_after=st.none() | st.floats(0, 5),
)
BUDGETS = st.builds(Budget, st.none() | st.floats(0, 5), st.none() | st.floats(0.1, 20), st.none() | st.integers(1, 12))
COSTS, SECONDS = st.floats(0, 2), st.floats(0, 4)


@given(st.data())
@settings(deadline=None, max_examples=400)
def test_a_climb_ends_well_whatever_happens(data: st.DataObject) -> None:
    decision, rules = Decision(TIERS[: data.draw(st.integers(1, 4))]), data.draw(RULES)
    request = GenerationRequest("r", "auto", (), budget=data.draw(BUDGETS))
    attempts: list[Attempt] = []
    spent = elapsed = 0.0
    while not isinstance(step := next_step(request, decision, attempts, rules, spent=spent, elapsed=elapsed), Return | GiveUp):
        _sound(step, attempts, decision, rules)
        _affordable(request, attempts, spent, elapsed)
        kind = "repair" if isinstance(step, Repair) else "try"
        attempts.append(replace(ATTEMPTS[data.draw(FATES)], tier=step.tier, kind=kind))
        spent, elapsed = spent + data.draw(COSTS), elapsed + data.draw(SECONDS)
        assert len(attempts) <= most_attempts(request.budget, decision, rules)
    _ended_rightly(step, attempts, rules)


def _sound(step: Step, attempts: Sequence[Attempt], decision: Decision, rules: Rules) -> None:
    """A step up goes to a tier that was not asked; a repair follows what it repairs, at most as often as the rules say."""
    assert not any(settles(attempt) for attempt in attempts)
    if isinstance(step, Repair):
        assert step.tier == attempts[-1].tier
        assert attempts[-1].generation is not None
        assert sum(attempt.tier == step.tier and attempt.kind == "repair" for attempt in attempts) < rules.repair
    else:
        assert isinstance(step, Try)
        asked = [decision.permitted.index(attempt.tier) for attempt in attempts]
        assert decision.permitted.index(step.tier) > max(asked, default=-1)


def _affordable(request: GenerationRequest, attempts: Sequence[Attempt], spent: float, elapsed: float) -> None:
    """Nothing more is begun once the money or the time is gone; the first attempt is the request's own."""
    budget = request.budget
    if attempts:
        assert budget.max_cost is None or spent < budget.max_cost
        assert budget.deadline is None or elapsed < budget.deadline


def _ended_rightly(step: Return | GiveUp, attempts: Sequence[Attempt], rules: Rules) -> None:
    """What is returned was kept, or keeps its form where nothing was; a guard's refusal is never overruled."""
    refused = [attempt for attempt in attempts if attempt.deferral == "guard"]
    if isinstance(step, Return):
        given = attempts[step.index]
        assert not refused
        assert given.deferral is None or (rules.when_exhausted == "best" and given.satisfies_contract)
        assert given.deferral is None or all(attempt.deferral for attempt in attempts)
    elif rules.when_exhausted == "best" and not refused:
        assert not any(attempt.satisfies_contract for attempt in attempts)
