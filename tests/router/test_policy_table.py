"""next_step over every combination of what may have happened: for each, the first row of the table that fits says what comes next."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from router.errors import (
    CascadeExhausted,
    DeadlineExceeded,
    EngineFailure,
    EngineRejected,
    EngineTimeout,
    MaxTokensTooSmall,
    SmallfirstError,
)
from router.policy import REFUSED, GiveUp, Repair, Return, Rules, Step, Try, next_step
from router.types import (
    Attempt,
    Budget,
    Choice,
    Decision,
    Failure,
    Generation,
    GenerationRequest,
    Ruling,
    Sampling,
    Usage,
    Verdict,
    Violation,
)

ALL = ("tiny", "small", "large")
DECISION = Decision(ALL)
Fate = Literal["kept", "doubted", "unable", "broken form", "beyond repair", "cut off", "refused", "down", "rejected", "timeout"]
FATES: tuple[Fate, ...] = (
    "kept", "doubted", "unable", "broken form", "beyond repair", "cut off", "refused", "down", "rejected", "timeout",
)  # fmt: skip
WHOLE = Generation((Choice("x", "stop"),), Usage())
BAD = (Violation("/a", "is wrong"),)
FORM_KEPT = Verdict("contract", Ruling.ACCEPT)
ATTEMPTS: dict[Fate, Attempt] = {
    "kept": Attempt("", "try", WHOLE, None, (FORM_KEPT,)),
    "doubted": Attempt("", "try", WHOLE, None, (FORM_KEPT, Verdict("confidence", Ruling.DEFER, confidence=0.4)), "confidence"),
    "unable": Attempt("", "try", WHOLE, None, (FORM_KEPT, Verdict("judge", Ruling.UNABLE)), "abstain"),
    "broken form": Attempt("", "try", WHOLE, None, (Verdict("contract", Ruling.DEFER, violations=BAD, repairable=True),), "contract"),
    "beyond repair": Attempt("", "try", WHOLE, None, (Verdict("contract", Ruling.DEFER, violations=BAD),), "contract"),
    "cut off": Attempt("", "try", WHOLE, None, (Verdict("contract", Ruling.DEFER, "length", violations=BAD),), "length"),
    "refused": Attempt("", "try", WHOLE, None, (Verdict("guard", Ruling.DEFER, REFUSED),), "guard"),
    "down": Attempt("", "try", None, Failure("engine_error", "down"), (), "engine_error"),
    "rejected": Attempt("", "try", None, Failure("engine_error", "no", retryable=False), (), "engine_error"),
    "timeout": Attempt("", "try", None, Failure("timeout", "slow"), (), "timeout"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """`place` is the tier of the last attempt; each one before it had one of `earlier`; `left` attempts may still be made."""

    fate: Fate
    place: int
    repaired: bool
    earlier: Fate
    repairs: int
    exhausted: Literal["best", "error"]
    left: int | None
    time: Literal["plenty", "reserve", "over", "endless"]
    broke: bool
    short: bool

    @property
    def attempts(self) -> list[Attempt]:
        before = [replace(ATTEMPTS[self.earlier], tier=tier) for tier in ALL[: self.place]]
        tried = [replace(ATTEMPTS["broken form"], tier=ALL[self.place])] if self.repaired else []
        return [*before, *tried, replace(ATTEMPTS[self.fate], tier=ALL[self.place], kind="repair" if self.repaired else "try")]

    @property
    def rest(self) -> int:
        return len(ALL) - 1 - self.place

    @property
    def room(self) -> int:
        """Attempts left; without a budget the cap never binds first here."""
        return 99 if self.left is None else self.left

    @property
    def hurried(self) -> bool:
        """Only the time of the last tier is left, and this is not it."""
        return self.time == "reserve" and self.rest > 0

    def asked(self) -> GenerationRequest:
        most = None if self.left is None else len(self.attempts) + self.left
        budget = Budget(1.0, None if self.time == "endless" else 10.0, most)
        return GenerationRequest("r", "auto", (), sampling=Sampling(max_tokens=5 if self.short else None), budget=budget)

    def step(self) -> Step:
        rules = Rules(self.repairs, when_exhausted=self.exhausted)
        elapsed = {"plenty": 1.0, "reserve": 6.0, "over": 10.0, "endless": 99.0}[self.time]
        return next_step(self.asked(), DECISION, self.attempts, rules, spent=1.0 if self.broke else 0.5, elapsed=elapsed)


def exhausted(case: Case) -> Step:
    """The best that keeps its form, or the error that says why there is none."""
    fit = [index for index, attempt in enumerate(case.attempts) if attempt.satisfies_contract]
    if fit and case.exhausted == "best":
        return Return(max(fit, key=lambda index: (case.attempts[index].confidence or 0.0, index)))
    return GiveUp(error(case)("…"))


def error(case: Case) -> type[SmallfirstError]:
    if case.time == "over":
        return DeadlineExceeded
    if case.short and {attempt.deferral for attempt in case.attempts} == {"length"}:
        return MaxTokensTooSmall
    return {"down": EngineFailure, "rejected": EngineRejected, "timeout": EngineTimeout}.get(case.fate, CascadeExhausted)


TABLE: list[tuple[str, Callable[[Case], bool], Callable[[Case], Step]]] = [
    ("what is kept is returned", lambda case: case.fate == "kept", lambda case: Return(len(case.attempts) - 1)),
    ("what a guard refuses ends it", lambda case: case.fate == "refused", lambda case: GiveUp(CascadeExhausted("…"))),
    ("nothing left to spend", lambda case: case.room <= 0 or case.broke or case.time == "over", exhausted),
    (
        "what can be mended is mended once more where that leaves every larger tier its attempt",
        lambda case: case.fate == "broken form" and case.repaired < case.repairs and case.room > case.rest and not case.hurried,
        lambda case: Repair(ALL[case.place]),
    ),
    ("no tier is left", lambda case: case.rest == 0, exhausted),
    ("only the last tier has time or an attempt left", lambda case: case.hurried or case.room == 1, lambda case: Try(ALL[-1])),
    ("the next tier", lambda case: True, lambda case: Try(ALL[case.place + 1])),
]


def cases(fate: Fate) -> list[Case]:
    """Every combination; earlier tiers' attempts were never kept, and a repair follows a form that could be mended."""
    return [
        Case(fate, *rest)
        for rest in itertools.product(
            range(len(ALL)),
            (False, True),
            ("doubted", "beyond repair", "cut off", "down"),
            (0, 1),
            ("best", "error"),
            (None, 0, 1, 2, 3),
            ("plenty", "reserve", "over", "endless"),
            (False, True),
            (False, True),
        )
    ]


@pytest.mark.parametrize("fate", FATES)
def test_the_first_row_that_fits_says_what_comes_next(fate: Fate) -> None:
    for case in cases(fate):
        name, expected = next((name, then(case)) for name, when, then in TABLE if when(case))
        found = case.step()
        if isinstance(expected, GiveUp) and isinstance(found, GiveUp):
            assert type(found.error) is type(expected.error), (name, case)
        else:
            assert found == expected, (name, case)


def test_every_row_of_the_table_is_met() -> None:
    met = {next(name for name, when, _ in TABLE if when(case)) for fate in FATES for case in cases(fate)}
    assert met == {name for name, _, _ in TABLE}


def test_with_nothing_tried_the_first_permitted_tier_is() -> None:
    for permitted in itertools.chain.from_iterable(itertools.combinations(ALL, count) for count in (1, 2, 3)):
        assert next_step(GenerationRequest("r", "auto", ()), Decision(permitted), [], Rules()) == Try(permitted[0])
