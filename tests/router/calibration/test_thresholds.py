"""The promise: certified thresholds break it in at most delta of the runs, tuned ones about half of the time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from router.calibration.thresholds import Paid, binomial_tail, fixed_sequence, naive, next_tail, thinned, upper_bound, within_cost

RUNS, LABELS, MAX_ERROR, CONFIDENCE = 200, 600, 0.10, 0.90


def labelled(generator: np.random.Generator, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores that are the true probability of being wrong."""
    risk = generator.beta(0.6, 2.2, count)
    return risk, generator.random(count) < risk


def broken(limits: list[float]) -> float:
    """The share of runs whose true kept error is over the limit."""
    risk = np.sort(labelled(np.random.default_rng(99), 100_000)[0])
    errors = np.cumsum(risk) / np.arange(1, len(risk) + 1)
    kept = np.searchsorted(risk, limits, side="right") - 1
    return float((errors[kept] > MAX_ERROR).sum()) / RUNS


def test_the_certified_promise_breaks_in_at_most_delta_of_the_runs() -> None:
    generator = np.random.default_rng(0)
    found = [fixed_sequence(*labelled(generator, LABELS), MAX_ERROR, CONFIDENCE) for _ in range(RUNS)]
    limits = [threshold.limit for threshold in found if threshold is not None]
    assert len(limits) > RUNS / 2
    assert broken(limits) <= 1 - CONFIDENCE


def test_the_error_of_the_next_requests_is_over_the_target_in_at_most_delta_of_the_runs() -> None:
    counted = {}
    for promise in ("next", "rate"):
        generator, over = np.random.default_rng(3), 0
        for _ in range(RUNS):
            (ours, wrong), (theirs, bad) = labelled(generator, LABELS), labelled(generator, LABELS)
            found = fixed_sequence(ours, wrong, MAX_ERROR, CONFIDENCE, promise)
            over += found is not None and bad[theirs <= found.limit].mean() > MAX_ERROR
        counted[promise] = over / RUNS
    assert counted["next"] <= 1 - CONFIDENCE < counted["rate"], "a promise of the rate is not one of a finite run"


def test_a_promise_of_the_next_requests_keeps_a_little_less_than_one_of_the_rate() -> None:
    scores, wrong = labelled(np.random.default_rng(4), 2000)
    coming, ever = (fixed_sequence(scores, wrong, MAX_ERROR, CONFIDENCE, promise) for promise in ("next", "rate"))
    assert coming is not None
    assert ever is not None
    assert 0.9 * ever.kept < coming.kept < ever.kept


def test_a_tuned_threshold_breaks_the_promise_about_half_of_the_time() -> None:
    generator = np.random.default_rng(0)
    found = [naive(*labelled(generator, LABELS), MAX_ERROR) for _ in range(RUNS)]
    assert 0.35 <= broken([limit for limit in found if limit is not None]) <= 0.7


def test_where_nothing_passes_nothing_is_kept() -> None:
    generator = np.random.default_rng(1)
    assert fixed_sequence(generator.random(500), generator.random(500) < 0.5, 0.05, 0.95) is None
    assert fixed_sequence(np.array([]), np.array([], dtype=np.bool_), 0.05, 0.95) is None


def test_the_threshold_counts_ties_as_kept() -> None:
    found = fixed_sequence(np.zeros(300), np.arange(300) < 3, 0.05, 0.95)
    assert found is not None
    assert (found.kept, found.wrong) == (300, 3)
    assert 0.01 < found.bound < 0.05


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.data())
def test_the_binomial_tail_is_the_sum_of_its_terms(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    expected = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))
    assert binomial_tail(k, n, p) == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.data())
def test_the_tail_of_the_next_is_the_share_of_drawings_that_see_so_few(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    wrong = k + math.floor(p * n + 1e-9) + 1
    expected = sum(math.comb(wrong, i) * math.comb(2 * n - wrong, n - i) for i in range(k + 1) if n - i >= 0) / math.comb(2 * n, n)
    assert next_tail(k, n, p) == pytest.approx(min(expected, 1.0), rel=1e-9)
    assert next_tail(k, n, p) >= 0.0


@given(st.integers(0, 40), st.integers(0, 400))
def test_the_upper_bound_is_where_the_tail_meets_delta(wrong: int, right: int) -> None:
    kept = wrong + right
    bound = upper_bound(wrong, kept, 0.95)
    if right == 0:
        assert bound == 1.0
    else:
        assert binomial_tail(wrong, kept, bound) == pytest.approx(0.05, abs=1e-6)


def test_a_cost_target_keeps_its_promise_on_fresh_requests() -> None:
    broken = 0
    for run in range(50):
        generator = np.random.default_rng(run)
        order, right = generator.random(800), (generator.random(800) < 0.6).astype(float)
        paid = Paid(generator.exponential(0.1, 800), np.minimum(generator.exponential(1.0, 800), 5.0))
        found = within_cost(order, right, paid, 0.6, 0.9, np.ones(800))
        assert found is not None
        truth = 0.1 + (1.0 - np.exp(-5.0)) * (1.0 - found.limit)
        broken += truth > 0.6
    assert broken <= 5


def test_the_money_is_spent_where_it_buys_quality() -> None:
    order, right = np.linspace(0, 1, 1000), np.concatenate([np.ones(500), np.zeros(500)])
    paid = Paid(np.full(1000, 0.01), np.full(1000, 1.0))
    plenty = within_cost(order, right, paid, 2.0, 0.95, np.full(1000, 0.9))
    assert plenty is not None
    assert plenty.kept == 500, "beyond the wrong half the large tier only loses"
    little = within_cost(order, right, paid, 0.4, 0.95, np.full(1000, 0.9))
    assert little is not None
    assert little.kept > 600
    assert little.cost is not None
    assert little.cost_bound is not None
    assert little.cost < little.cost_bound <= 0.4


def test_what_even_the_small_tier_alone_costs_cannot_be_undercut() -> None:
    paid = Paid(np.full(100, 1.0), np.full(100, 1.0))
    assert within_cost(np.arange(100.0), np.ones(100), paid, 0.5, 0.95, np.ones(100)) is None


def test_weighted_labels_are_thinned_to_a_plain_sample() -> None:
    stays = thinned([1.0] * 5000 + [4.0] * 5000)
    assert stays[5000:].all()
    assert 0.2 < stays[:5000].mean() < 0.3
    assert thinned([2.0, 2.0]).all()
