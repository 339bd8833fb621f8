"""How long tiers take of late, and what a deadline makes of it."""

from dataclasses import dataclass, field

import pytest

from router.pace import Pace
from router.policy import Rules, too_late
from router.types import Attempt, Budget, Choice, Decision, Generation, GenerationRequest, Outcome, Usage

REQUEST = GenerationRequest("r", "auto", ())


@dataclass
class Clock:
    now: float = 0.0
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(lambda: self.now, fresh=60.0, least=3)

    def took(self, *seconds: float, **attempt: object) -> None:
        made = {"generation": Generation((Choice("x", "stop"),), Usage(1, 1))} | attempt
        tries = tuple(Attempt("small", "try", seconds=each, **made) for each in seconds)  # type: ignore[arg-type]
        self.pace.observe(REQUEST, Outcome("r", "auto", Decision(("small", "large")), tries, None, "ok", 1.0, None))


def test_the_usual_time_is_the_median_once_enough_is_known() -> None:
    at = Clock()
    at.took(1.0, 9.0)
    assert at.pace.usual("small") is None
    at.took(2.0)
    assert at.pace.usual("small") == 2.0
    assert at.pace.usual("large") is None


def test_what_was_cancelled_or_failed_at_once_says_nothing_but_a_timeout_does() -> None:
    at = Clock()
    at.took(0.1, 0.1, 0.1, cancelled=True)
    at.took(0.1, 0.1, 0.1, generation=None, deferral="engine_error")
    assert at.pace.usual("small") is None
    at.took(4.0, 4.0, 4.0, generation=None, deferral="timeout")
    assert at.pace.usual("small") == 4.0


def test_it_is_forgotten_so_that_a_slow_tier_is_tried_again() -> None:
    at = Clock()
    at.took(5.0, 5.0, 5.0)
    at.now = 61.0
    assert at.pace.usual("small") is None


@pytest.mark.parametrize(
    ("deadline", "reserve", "usual", "elapsed", "late"),
    [
        (None, None, 99.0, 0.0, False),
        (4.0, None, None, 0.0, False),
        (4.0, None, 1.9, 0.0, False),
        (4.0, None, 2.1, 0.0, True),
        (4.0, 3.0, 1.1, 0.0, True),
        (4.0, 1.0, 2.1, 0.5, False),
        (4.0, 1.0, None, 3.0, True),
    ],
)
def test_a_draft_must_fit_before_the_time_kept_for_the_last_tier(
    deadline: float | None, reserve: float | None, usual: float | None, elapsed: float, late: bool
) -> None:
    assert too_late(Budget(deadline=deadline), Rules(reserve=reserve), usual, elapsed) is late
