"""Measures against cases whose value is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.evaluation.measures import apgr, auroc, calls_for, cpt, ece, ece_of_perfect, quality_curve, reliability, risk_coverage

SMALL, LARGE = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0])


def test_a_perfect_order_recovers_the_gap_with_the_fewest_calls() -> None:
    curve = quality_curve(np.array([0.1, 0.2, 0.9, 0.8]), SMALL, LARGE)
    assert curve.tolist() == [0.5, 0.75, 1.0, 1.0, 1.0]
    assert apgr(curve) == pytest.approx(0.7)
    assert (cpt(curve, 0.5), cpt(curve, 0.8), calls_for(curve)) == (0.25, 0.5, 0.5)


def test_an_order_without_information_is_the_straight_line() -> None:
    curve = quality_curve(np.zeros(4), SMALL, LARGE)
    assert curve.tolist() == [0.5, 0.625, 0.75, 0.875, 1.0]
    assert apgr(curve) == pytest.approx(0.5)


def test_mixing_may_beat_the_large_tier() -> None:
    curve = quality_curve(np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.array([0.0, 1.5]))
    found = apgr(curve)
    assert found is not None
    assert found > 1


def test_tiers_that_are_equally_good_have_no_gap_to_recover() -> None:
    curve = quality_curve(np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert apgr(curve) is None
    assert cpt(curve, 0.5) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_the_share_of_pairs_in_the_right_order(labels: list[tuple[int, bool]]) -> None:
    scores, happened = np.array([float(score) for score, _ in labels]), np.array([flag for _, flag in labels])
    yes, no = scores[happened], scores[~happened]
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in yes for b in no]
    found = auroc(scores, happened)
    assert found == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


def test_ece_is_nought_for_the_truth_and_the_gap_for_a_boast() -> None:
    correct = np.array([1.0, 0.0] * 300)
    assert ece(np.full(600, 0.5), correct) == pytest.approx(0.0, abs=1e-9)
    assert ece(np.full(600, 0.9), correct) == pytest.approx(0.4)
    assert ece(np.array([]), np.array([])) is None


def test_a_perfect_model_shows_less_ece_on_more_records() -> None:
    few, many = np.random.default_rng(0).random(200), np.random.default_rng(0).random(5000)
    assert ece_of_perfect(many, draws=50) < ece_of_perfect(few, draws=50) < 0.15


def test_reliability_has_bins_of_equal_mass() -> None:
    bins = reliability(np.linspace(0, 1, 150), np.ones(150))
    assert [one.count for one in bins] == [10] * 15


def test_risk_is_the_error_of_the_most_confident() -> None:
    coverage, risk = risk_coverage(np.array([0.3, 0.1, 0.2]), np.array([True, False, False]))
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk.tolist() == pytest.approx([0, 0, 1 / 3])
