"""Limits only ever tighten, in whatever order they come."""

import itertools

import pytest

from router.errors import AccessDenied
from router.limits import Limits, within
from router.types import Budget, GenerationRequest

TARGETS = ("strict", "strictest")
SOME = (
    Limits(),
    Limits(frozenset({"small", "large"})),
    Limits(frozenset({"large"}), "strict"),
    Limits(target="strictest", budget=Budget(0.5, None, 3)),
    Limits(inside_only=True, budget=Budget(0.2, 9.0)),
)
ASKED = GenerationRequest("r", "auto", (), budget=Budget(1.0, 30.0, None))


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(SOME, 2)))
def test_two_limits_are_as_strict_as_both_in_any_order(one: Limits, other: Limits) -> None:
    found = within(within(ASKED, one, TARGETS), other, TARGETS)
    assert found == within(within(ASKED, other, TARGETS), one, TARGETS)
    for limits in (one, other):
        alone = within(ASKED, limits, TARGETS)
        assert within(found, limits, TARGETS) == found
        assert alone.tiers is None or (found.tiers is not None and found.tiers <= alone.tiers)
        assert alone.target is None or (found.target is not None and TARGETS.index(found.target) >= TARGETS.index(alone.target))
        assert found.inside_only >= alone.inside_only
        spend = zip((found.budget.max_cost, found.budget.deadline), (alone.budget.max_cost, alone.budget.deadline), strict=True)
        assert all(least is not None and most is not None and least <= most for least, most in spend)


def test_a_target_that_the_route_cannot_keep_is_never_just_left_out() -> None:
    with pytest.raises(AccessDenied, match="strictest"):
        within(ASKED, Limits(target="strictest"), ("strict",))


def test_of_two_amounts_the_smaller_rules_and_what_is_not_limited_stays_so() -> None:
    assert within(ASKED, Limits(budget=Budget(0.5, 60.0, 3))).budget == Budget(0.5, 30.0, 3)
    assert within(ASKED, Limits()).budget == ASKED.budget
