"""The compact export says what scikit-learn says, row by row, missing values included."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from router.calibration.stored import Ensemble
from router.calibration.training import TREES, boosted, constant, randomised
from router.calibration.trees import Forests, Tree

Floats = NDArray[np.float64]


def data(rows: int = 400, width: int = 6) -> tuple[Floats, NDArray[np.bool_]]:
    generator = np.random.default_rng(0)
    table = generator.normal(size=(rows, width)).astype(np.float32).astype(np.float64)
    wrong = table[:, 0] + table[:, 1] * table[:, 2] + generator.normal(size=rows) > 0.5
    table[generator.random(table.shape) < 0.15] = np.nan
    return table, wrong


def summed(*trees: Tree) -> Ensemble:
    return Ensemble(trees, 0.0, mean=False)


def scored(ensemble: Ensemble, width: int) -> Callable[[Sequence[float]], float]:
    forests = Forests.of([ensemble], range(width))
    return lambda row: forests.log_odds(dict(enumerate(row)))[0]


def test_the_boosted_export_says_what_the_model_says() -> None:
    sklearn = pytest.importorskip("sklearn.ensemble")
    table, wrong = data()
    stored = boosted(table, wrong, np.ones(len(table)), 15)
    score = scored(stored, table.shape[1])
    options = {"max_leaf_nodes": 15, "max_iter": 100, "learning_rate": 0.05, "min_samples_leaf": 15, "l2_regularization": 1.0}
    model = sklearn.HistGradientBoostingClassifier(**options, max_features=0.2, early_stopping=False, random_state=0)
    expected = model.fit(table, wrong, sample_weight=np.ones(len(table))).decision_function(table)
    assert [score(row) for row in table] == pytest.approx(expected.tolist(), abs=1e-4)


def test_the_randomised_export_equals_the_log_odds_of_the_mean() -> None:
    sklearn = pytest.importorskip("sklearn.ensemble")
    table, wrong = data()
    stored = randomised(table, wrong, np.ones(len(table)), 32)
    score = scored(stored, table.shape[1])
    model = sklearn.ExtraTreesClassifier(TREES, max_leaf_nodes=32, min_samples_leaf=4, max_features=0.3, random_state=0)
    model.fit(table, wrong, sample_weight=np.ones(len(table)))
    p = model.predict_proba(table)[:, 1].clip(1e-4, 1 - 1e-4)
    assert [score(row) for row in table] == pytest.approx(np.log(p / (1 - p)).tolist(), abs=1e-3)


def test_a_constant_says_the_share_whatever_the_row() -> None:
    stored = constant(0.25)
    assert scored(stored, 2)([1.0, math.nan]) == pytest.approx(math.log(1 / 3))


STUMP = Tree((0,), (0.5,), (True,), (-1,), (-2,), (-1.0, 1.0))


@pytest.mark.parametrize(("row", "said"), [([0.5], -1.0), ([0.6], 1.0), ([math.nan], -1.0), ([math.inf], 1.0), ([-math.inf], -1.0)])
def test_a_split_sends_equal_and_missing_values_to_the_left(row: list[float], said: float) -> None:
    assert scored(summed(STUMP), 1)(row) == said


def test_missing_values_go_where_each_split_says_whatever_else_its_tree_asks() -> None:
    known = Tree((0, 1), (math.inf, 0.5), (False, True), (1, -2), (-3, -1), (1.0, 2.0, 4.0))
    ordered = Tree((0, 1), (math.inf, 0.5), (False, True), (1, -1), (-3, -2), (1.0, 2.0, 4.0))
    with pytest.raises(ValueError, match="left to right"):
        scored(summed(known), 2)
    score = scored(summed(ordered, STUMP), 2)
    assert score([math.nan, 0.0]) == 4.0 - 1.0
    assert score([math.inf, math.nan]) == 1.0 + 1.0
    assert score([0.0, 0.7]) == 2.0 - 1.0
    assert scored(summed(ordered, Tree((), (), (), (), (), (8.0,))), 2)([0.0, 0.7]) == 2.0 + 8.0


@pytest.mark.parametrize(
    "tree",
    [
        Tree((1,), (0.5,), (True,), (-1,), (-2,), (0.0, 1.0)),
        Tree((0,), (0.5,), (True,), (-1,), (-1,), (0.0, 1.0)),
        Tree((0,), (0.5,), (True,), (0,), (-2,), (0.0, 1.0)),
        Tree((0,), (0.5,), (True,), (-2,), (-1,), (0.0, 1.0)),
        Tree((0,), (0.5,), (True,), (-1,), (-2,), (0.0,)),
        Tree((0,), (0.5, 0.6), (True,), (-1,), (-2,), (0.0, 1.0)),
        Tree((0,) * 64, (0.5,) * 64, (True,) * 64, (-1,) * 64, (-2,) * 64, (0.0,) * 65),
    ],
    ids=["feature", "twice", "cycle", "order", "leaves", "lengths", "large"],
)
def test_a_tree_that_is_not_sound_is_refused(tree: Tree) -> None:
    with pytest.raises(ValueError, match=r"tree|leaf|leaves"):
        scored(summed(tree), 1)


def test_the_first_trees_are_what_fewer_rounds_would_have_grown() -> None:
    sklearn = pytest.importorskip("sklearn.ensemble")
    table, wrong = data()
    boosted_options = {"max_leaf_nodes": 8, "learning_rate": 0.05, "min_samples_leaf": 15, "l2_regularization": 1.0, "max_features": 0.2}
    random_options = {"max_leaf_nodes": 32, "min_samples_leaf": 4, "max_features": 0.3, "random_state": 0}
    stage = sklearn.HistGradientBoostingClassifier(**boosted_options, max_iter=50, early_stopping=False, random_state=0).fit(table, wrong)
    shares = sklearn.ExtraTreesClassifier(50, **random_options).fit(table, wrong).predict_proba(table)[:, 1].clip(1e-4, 1 - 1e-4)
    ones = np.ones(len(table))
    for stored, expected in (
        (boosted(table, wrong, ones, 8), stage.decision_function(table)),
        (randomised(table, wrong, ones, 32), np.log(shares / (1 - shares))),
    ):
        score = scored(replace(stored, trees=stored.trees[:50]), table.shape[1])
        assert [score(row) for row in table] == pytest.approx(expected.tolist(), abs=1e-3)
