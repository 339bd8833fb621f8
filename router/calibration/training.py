"""Fitting the trees with scikit-learn, and taking them out of it as plain numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.calibration.maps import logit
from router.calibration.stored import Ensemble
from router.calibration.trees import Tree

Floats = NDArray[np.float64]
TREES, RATE = 100, 0.05
_BEYOND = 1e300


def boosted(rows: Floats, wrong: NDArray[np.bool_], weights: Floats, leaves: int, seed: int = 0) -> Ensemble:
    """Gradient boosting (histograms, a fifth of the features a split); log-odds. Its first n trees are what n rounds would have grown."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.utils.parallel import _get_threadpool_controller

    model: Any = HistGradientBoostingClassifier(
        max_leaf_nodes=leaves,
        max_iter=TREES,
        learning_rate=RATE,
        min_samples_leaf=15,
        l2_regularization=1.0,
        max_features=0.2,
        early_stopping=False,
        random_state=seed,
    )
    given = None if (weights == weights[0]).all() else weights  # equal ones say nothing, and its percentiles are slow with them
    with _get_threadpool_controller().limit(limits=1, user_api="openmp"):  # spinning threads cost a busy machine minutes
        model.fit(rows, wrong, sample_weight=given)
    trees = tuple(_boosted_tree(stage[0].nodes) for stage in model._predictors)
    return Ensemble(trees, float(model._baseline_prediction.ravel()[0]), mean=False)


def randomised(rows: Floats, wrong: NDArray[np.bool_], weights: Floats, leaves: int, seed: int = 0) -> Ensemble:
    """Extremely randomised trees (Geurts et al. 2006), each grown apart from the others; log-odds of their mean."""
    from sklearn.ensemble import ExtraTreesClassifier

    model: Any = ExtraTreesClassifier(TREES, max_leaf_nodes=leaves, min_samples_leaf=4, max_features=0.3, random_state=seed)
    model.fit(rows, wrong, sample_weight=weights)
    return Ensemble(tuple(_random_tree(one.tree_) for one in model.estimators_), 0.0, mean=True)


def constant(share: float) -> Ensemble:
    """What can be said where all labels are alike."""
    return Ensemble((), logit(share, 1e-3), mean=False)


def _boosted_tree(nodes: Any) -> Tree:
    left, right = nodes["left"].astype(int), nodes["right"].astype(int)
    leaf = nodes["is_leaf"].astype(bool)
    values = [float(value) for value in nodes["value"]]
    missing = nodes["missing_go_to_left"].astype(bool)
    return _tree(
        leaf.tolist(),
        nodes["feature_idx"].tolist(),
        nodes["num_threshold"].tolist(),
        missing.tolist(),
        left.tolist(),
        right.tolist(),
        values,
    )


def _random_tree(tree: Any) -> Tree:
    leaf = [int(child) < 0 for child in tree.children_left]
    shares = [float(value[0][1] / max(value[0].sum(), 1e-12)) for value in tree.value]
    missing = [bool(left) for left in tree.missing_go_to_left]
    return _tree(
        leaf, tree.feature.tolist(), tree.threshold.tolist(), missing, tree.children_left.tolist(), tree.children_right.tolist(), shares
    )


def _tree(
    leaf: list[bool],
    features: list[int],
    thresholds: list[float],
    missing: list[bool],
    left: list[int],
    right: list[int],
    values: list[float],
) -> Tree:
    """Renumber nodes in depth-first order: splits and leaves apart, leaves from left to right."""
    splits: list[int] = []
    leaves: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        (leaves if leaf[node] else splits).append(node)
        if not leaf[node]:
            stack += [right[node], left[node]]
    number = {node: place for place, node in enumerate(splits)} | {node: -1 - place for place, node in enumerate(leaves)}
    return Tree(
        tuple(int(features[node]) for node in splits),
        tuple(min(max(float(thresholds[node]), -_BEYOND), _BEYOND) for node in splits),
        tuple(missing[node] for node in splits),
        tuple(number[left[node]] for node in splits),
        tuple(number[right[node]] for node in splits),
        tuple(round(values[node], 6) for node in leaves),
    )
