"""From a score to a probability: never falling, and right on average."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.calibration.maps import Isotonic, Platt, fit_map, logit, sigmoid
from router.evaluation.measures import ece


def sample(count: int, seed: int = 0) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 2, count)
    return scores, generator.random(count) < 1 / (1 + np.exp(-(0.7 * scores - 1)))


def bent(count: int, seed: int = 0) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Nothing happens below zero, and half above."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 2, count)
    return scores, generator.random(count) < np.where(scores > 0, 0.5, 0.02)


@pytest.mark.parametrize(
    ("drawn", "count", "kind", "most"),
    [(sample, 500, Platt, 0.07), (sample, 3000, Platt, 0.04), (bent, 500, Platt, 0.15), (bent, 3000, Isotonic, 0.04)],
)
def test_the_map_bends_where_labels_enough_show_a_bend(drawn: Callable[..., Any], count: int, kind: type, most: float) -> None:
    fitted = fit_map(*drawn(count))
    assert isinstance(fitted, kind)
    scores, happened = drawn(5000, seed=1)
    found = ece(np.array([fitted(score) for score in scores]), happened.astype(float))
    assert found is not None
    assert found < most


def test_labels_that_are_nearly_all_alike_are_mapped_too() -> None:
    scores = np.linspace(-1, 1, 2000)
    for few in (1, 2):
        fitted = fit_map(scores, np.arange(2000) < few)
        assert 0 < fitted(0.0) < 0.01


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=2, max_size=40))
def test_an_isotonic_map_never_falls_and_stays_a_probability(labels: list[tuple[float, bool]]) -> None:
    many = labels * (1000 // len(labels) + 1)
    fitted = fit_map(np.array([score for score, _ in many]), [happened for _, happened in many])
    values = [fitted(score) for score in np.linspace(-60, 60, 200)]
    assert all(0 <= value <= 1 for value in values)
    assert all(one <= other + 1e-12 for one, other in pairwise(values))


def test_a_score_that_points_the_wrong_way_becomes_flat_and_not_reversed() -> None:
    scores, happened = sample(500)
    fitted = fit_map(-scores, happened)
    assert fitted(-5.0) == pytest.approx(fitted(5.0))


@given(st.floats(-700, 700))
def test_sigmoid_and_logit_are_inverse_and_finite(value: float) -> None:
    p = sigmoid(value)
    assert 0 <= p <= 1
    if abs(value) < 9:
        assert logit(p) == pytest.approx(value, abs=1e-6)
