"""Rates and budgets: who is let in, what is counted, and what happens when the others cannot be reached."""

import random
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from router.errors import BudgetSpent, RateLimited, StoreUnavailable
from router.types import Attempt, Decision, GenerationRequest, Outcome, Ruling, Usage, Verdict
from server.access.keys import Allowance, Key
from server.access.ledger import Count, Ledger, Told

NOON = 1_790_000_000.0 - 1_790_000_000.0 % 86_400 + 43_200
ANN = Key("ann", rate=10)
BEN = Key("ben", budgets={"day": Allowance(usd=1.0), "month": Allowance(tokens=1000)})


@dataclass
class Clock:
    """Passes when told to."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


def ledger(clock: Clock, **options: object) -> Ledger:
    return Ledger(clock, **options)  # type: ignore[arg-type]


def ask(book: Ledger, key: Key, times: int = 1) -> None:
    for _ in range(times):
        with book.admit(key):
            pass


def spend(book: Ledger, key: str, usd: float, tokens: int = 0) -> None:
    judged = (Verdict("judge", Ruling.ACCEPT, usage=Usage(tokens - tokens // 2)),)
    attempt = Attempt("small", "try", None, usage=Usage(tokens // 2), cost=usd, verdicts=judged)
    book.observe(GenerationRequest("r", "auto", (), owner=key), Outcome("r", "auto", Decision(("small",)), (attempt,), 0))


def test_a_rate_is_held_and_the_wait_that_is_told_is_enough() -> None:
    clock = Clock()
    book = ledger(clock)
    ask(book, ANN, 10)
    with pytest.raises(RateLimited) as caught:
        ask(book, ANN)
    clock.now += caught.value.retry_after - 1
    with pytest.raises(RateLimited):
        ask(book, ANN)
    clock.now += 1
    ask(book, ANN)
    ask(book, BEN, 50)


def test_over_any_minute_a_rate_is_passed_by_little_at_most() -> None:
    """Two neighbouring minutes are taken as evenly used, so that a minute across them may hold a few more."""
    clock, served, draw = Clock(), list[float](), random.Random(7)
    book = ledger(clock)
    for _ in range(4000):
        clock.now += draw.expovariate(1.0)
        try:
            ask(book, ANN)
        except RateLimited:
            continue
        served.append(clock.now)
    most = max(sum(start <= moment < start + 60 for moment in served) for start in served)
    assert 10 <= most <= 20
    assert len(served) / ((clock.now - NOON) / 60) == pytest.approx(10, rel=0.1)


def test_a_budget_that_is_spent_is_refused_until_its_period_ends() -> None:
    clock = Clock()
    book = ledger(clock)
    ask(book, BEN)
    spend(book, "ben", 1.0)
    assert book.used(BEN, "day") == pytest.approx(1.0)
    with pytest.raises(BudgetSpent) as caught:
        ask(book, BEN)
    assert caught.value.retry_after == 43_200
    clock.now += caught.value.retry_after
    ask(book, BEN)
    assert (book.used(BEN, "day"), book.used(BEN, "month")) == (0, 0)


def test_tokens_of_verifiers_count_and_the_month_outlasts_the_day() -> None:
    clock = Clock()
    book = ledger(clock)
    spend(book, "ben", 0.1, tokens=1000)
    with pytest.raises(BudgetSpent, match="month"):
        ask(book, BEN)
    clock.now += 86_400
    with pytest.raises(BudgetSpent, match="month"):
        ask(book, BEN)


def test_requests_under_way_hold_what_requests_usually_take() -> None:
    book = ledger(Clock())
    spend(book, "ben", 0.3)
    with ExitStack() as under_way:
        for _ in range(3):
            under_way.enter_context(book.admit(BEN))
        assert book.used(BEN, "day") == pytest.approx(1.2)
        with pytest.raises(BudgetSpent):
            ask(book, BEN)
    assert book.used(BEN, "day") == pytest.approx(0.3)
    ask(book, BEN)


def test_a_refused_request_holds_and_counts_nothing() -> None:
    book = ledger(Clock())
    nothing = Key("ann", rate=5, budgets={"day": Allowance(usd=0)})
    for _ in range(20):
        with pytest.raises(BudgetSpent):
            ask(book, nothing)
    ask(book, Key("ann", rate=5), 5)


def test_requests_without_a_key_are_nobodys() -> None:
    book = ledger(Clock())
    spend(book, "", 5.0)
    assert not book._known


@pytest.mark.parametrize("jump", [-86_400.0, -3600.0, 3600.0, 40 * 86_400.0])
def test_a_clock_that_jumps_locks_nobody_out_for_longer_than_its_period(jump: float) -> None:
    clock = Clock()
    book = ledger(clock)
    ask(book, ANN, 10)
    spend(book, "ben", 0.5)
    clock.now += jump
    ask(book, ANN)
    ask(book, BEN)


@dataclass
class Shared:
    """What several ledgers tell, and whether it can be reached; it may take a batch and lose the answer."""

    totals: Counter[Count] = field(default_factory=Counter)
    batches: set[str] = field(default_factory=set)
    away: bool = False
    deaf: bool = False

    async def tell(self, batch: str, counted: Mapping[Count, float]) -> Mapping[Count, float]:
        if self.away:
            raise StoreUnavailable("away")
        if batch not in self.batches:
            self.batches.add(batch)
            for count, amount in counted.items():
                self.totals[count] += amount  # type: ignore[assignment]
        if self.deaf:
            raise StoreUnavailable("the answer was lost")
        return {count: self.totals[count] for count in counted}

    async def close(self) -> None:
        self.away = True


KEYS = (ANN, BEN)


async def test_two_ledgers_that_exchange_hold_one_rate_and_one_budget_together() -> None:
    clock, shared = Clock(), Shared()
    books = [ledger(clock, exchange=shared) for _ in range(2)]
    for book in books:
        ask(book, ANN, 5)
        spend(book, "ben", 0.5)
        ask(book, BEN)
    for book in books * 2:
        await book.settle(KEYS)
    for book in books:
        with pytest.raises(RateLimited):
            ask(book, ANN)
        with pytest.raises(BudgetSpent):
            ask(book, BEN)


async def test_a_ledger_that_starts_again_learns_what_was_spent() -> None:
    clock, shared = Clock(), Shared()
    first = ledger(clock, exchange=shared)
    spend(first, "ben", 1.0)
    await first.settle(KEYS)
    second = ledger(clock, exchange=shared)
    await second.settle(KEYS, everything=True)
    with pytest.raises(BudgetSpent):
        ask(second, BEN)


async def test_what_the_others_forget_a_running_ledger_still_knows() -> None:
    clock, shared = Clock(), Shared()
    book = ledger(clock, exchange=shared)
    spend(book, "ben", 0.6)
    await book.settle(KEYS)
    shared.totals.clear()
    shared.batches.clear()
    await book.settle(KEYS, everything=True)
    ask(book, BEN)
    spend(book, "ben", 0.4)
    await book.settle(KEYS, everything=True)
    assert book.used(BEN, "day") == pytest.approx(1.0)
    with pytest.raises(BudgetSpent):
        ask(book, BEN)


async def test_while_the_others_are_away_each_counts_alone_and_tells_all_of_it_later_once() -> None:
    clock, shared, lost = Clock(), Shared(), list[str]()
    book = ledger(clock, exchange=shared, told=Told(lost=lost.append))
    for away, deaf in ((True, False), (False, True), (True, False), (False, False), (False, False)):
        shared.away, shared.deaf = away, deaf
        spend(book, "ben", 0.25)
        ask(book, ANN)
        await book.settle(KEYS)
    day = [amount for count, amount in shared.totals.items() if count.key == "ben" and count.kind == "usd" and len(count.window) == 10]
    assert day == [pytest.approx(1.25)]
    assert book.used(BEN, "day") == pytest.approx(1.25)
    assert lost == ["away", "the answer was lost", "away"]
    assert shared.totals[next(count for count in shared.totals if count.key == "ann" and count.window.startswith("m"))] == 5


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
async def test_where_it_is_strict_a_clock_that_jumps_opens_nothing_while_the_exchange_is_lost(jump: float) -> None:
    clock, shared = Clock(), Shared()
    book = ledger(clock, exchange=shared, strict=10.0)
    await book.settle(KEYS)
    clock.now += jump
    shared.away = True
    await book.settle(KEYS)
    with pytest.raises(StoreUnavailable):
        ask(book, ANN)
    shared.away = False
    await book.settle(KEYS)
    ask(book, ANN)


async def test_where_it_is_strict_a_lost_exchange_refuses_keys_with_limits_after_a_while() -> None:
    clock, shared = Clock(), Shared()
    book = ledger(clock, exchange=shared, strict=10.0)
    await book.settle(KEYS)
    shared.away = True
    clock.now += 9
    await book.settle(KEYS)
    ask(book, ANN)
    clock.now += 2
    await book.settle(KEYS)
    for key in KEYS:
        with pytest.raises(StoreUnavailable):
            ask(book, key)
    ask(book, Key("cat"))
    shared.away = False
    await book.settle(KEYS)
    ask(book, ANN)


async def test_budgets_are_told_and_what_is_over_or_gone_falls_to_nothing() -> None:
    clock, told = Clock(), dict[tuple[str, str], float]()
    book = ledger(clock, told=Told(used=lambda key, period, share: told.__setitem__((key, period), share)))
    spend(book, "ben", 0.95, tokens=100)
    await book.settle(KEYS)
    assert told == {("ben", "day"): pytest.approx(0.95), ("ben", "month"): pytest.approx(0.1)}
    clock.now += 86_400
    await book.settle(KEYS)
    assert told[("ben", "day")] == 0
    await book.settle([ANN])
    assert told == {("ben", "day"): 0, ("ben", "month"): 0}


async def test_a_long_absence_keeps_money_and_forgets_minutes() -> None:
    clock, shared = Clock(), Shared(away=True)
    book = ledger(clock, exchange=shared)
    await book.settle(KEYS)
    for _ in range(100):
        clock.now += 60
        ask(book, ANN)
        spend(book, "ben", 0.001)
        await book.settle(KEYS)
    assert len(book._untold) + len(book._known) < 20
    shared.away = False
    await book.settle(KEYS)
    await book.settle(KEYS)
    assert max(shared.totals.values()) == pytest.approx(0.1) or sum(shared.totals.values()) >= 0.2


def test_a_check_takes_microseconds() -> None:
    """Measured by docs/access.md's command; here only that it is no thousandfold more."""
    book, key = ledger(Clock()), Key("ann", rate=10**9, budgets={"day": Allowance(usd=1e9), "month": Allowance(tokens=10**9)})
    started = time.perf_counter()
    ask(book, key, 1000)
    assert (time.perf_counter() - started) / 1000 < 1e-3
