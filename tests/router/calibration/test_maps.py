"""From a score to a probability: never falling, and right on average."""

from itertools import pairwise

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


@pytest.mark.parametrize(("count", "kind"), [(500, Platt), (3000, Isotonic)])
def test_the_map_depends_on_the_number_of_labels_and_is_calibrated(count: int, kind: type) -> None:
    fitted = fit_map(*sample(count))
    assert isinstance(fitted, kind)
    scores, happened = sample(5000, seed=1)
    found = ece(np.array([fitted(score) for score in scores]), happened.astype(float))
    assert found is not None
    assert found < 0.07


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
