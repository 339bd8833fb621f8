"""The promise: certified thresholds break it in at most delta of the runs, tuned ones about half of the time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from router.calibration.thresholds import binomial_tail, fixed_sequence, naive, thinned, upper_bound

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


@given(st.integers(0, 40), st.integers(0, 400))
def test_the_upper_bound_is_where_the_tail_meets_delta(wrong: int, right: int) -> None:
    kept = wrong + right
    bound = upper_bound(wrong, kept, 0.95)
    if right == 0:
        assert bound == 1.0
    else:
        assert binomial_tail(wrong, kept, bound) == pytest.approx(0.05, abs=1e-6)


def test_weighted_labels_are_thinned_to_a_plain_sample() -> None:
    stays = thinned([1.0] * 5000 + [4.0] * 5000)
    assert stays[5000:].all()
    assert 0.2 < stays[:5000].mean() < 0.3
    assert thinned([2.0, 2.0]).all()
