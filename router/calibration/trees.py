"""Ensembles of small decision trees as flat arrays, evaluated on one row in microseconds (after QuickScorer: Lucchese et al., SIGIR 2015).

Each tree has at most 64 leaves, numbered from left to right. Every split that sends the row to the right strikes out the leaves on its
left; the first leaf not struck out is the tree's answer. All splits of all trees are asked at once, tree after tree, in memory that is read
in order: a few operations on arrays, whatever the number of trees.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

MOST_LEAVES = 64
_DTYPES: dict[int, np.dtype[np.unsignedinteger[Any]]] = {16: np.dtype("u2"), 32: np.dtype("u4"), 64: np.dtype("u8")}


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Tree:
    """Splits by number: a row goes left if its feature is at most the threshold, or is missing where `missing_left`.

    `left` and `right` name a split (0 or more) or a leaf (-1 - leaf); split 0 is the root, a tree of one leaf has no splits.
    """

    features: tuple[int, ...]
    thresholds: tuple[float, ...]
    missing_left: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Splits:
    """All splits, one tree's after the other's from `first` on: those that send a row to the right strike out the leaves of `masks`.

    `places` are those of the features in a `filled` row: in its first half where missing values go to the left, else in its second.
    """

    places: NDArray[np.intp]
    thresholds: NDArray[np.float64]
    masks: NDArray[np.unsignedinteger[Any]]
    first: NDArray[np.intp]

    @classmethod
    def of(cls, trees: Sequence[Tree], width: int) -> "_Splits":
        """Raises ValueError where the leaves of a tree are not in order."""
        struck = [(tree, node, mask) for tree in trees for node, mask in _struck(tree).items()]
        widest = max((len(tree.values) for tree in trees), default=1)
        dtype = next(dtype for bits, dtype in _DTYPES.items() if bits >= widest)
        return cls(
            np.array([tree.features[node] + (0 if tree.missing_left[node] else width) for tree, node, _ in struck], dtype=np.intp),
            np.array([tree.thresholds[node] for tree, node, _ in struck]),
            np.array([mask for _, _, mask in struck], dtype=dtype),
            np.cumsum([0, *[len(tree.features) for tree in trees]][:-1], dtype=np.intp),
        )

    def leaves(self, row: NDArray[np.float64]) -> NDArray[np.intp]:
        """By tree how many leaves there are up to its answer and with it, for a row that is `filled`."""
        left = row.take(self.places) <= self.thresholds
        struck = np.bitwise_or.reduceat(np.where(left, 0, self.masks), self.first)
        found: NDArray[np.intp] = np.bitwise_count(struck ^ (struck + 1))
        return found


@dataclass(frozen=True, slots=True)
class Forest:
    """A sum of trees plus `bias`; with `mean`, the log-odds of the mean of trees whose leaves are probabilities."""

    trees: tuple[Tree, ...]
    bias: float
    mean: bool
    width: int
    _splits: _Splits
    _before: NDArray[np.intp]
    _values: NDArray[np.float64]
    _whole: float
    """What the trees of one leaf say, which have no splits."""

    @classmethod
    def of(cls, trees: Sequence[Tree], width: int, bias: float = 0.0, mean: bool = False) -> "Forest":
        """Build the tables for rows of `width` features; raises ValueError for trees that are not sound."""
        for tree in trees:
            _check(tree, width)
        split = [tree for tree in trees if tree.features]
        values = np.array([value for tree in split for value in tree.values])
        before = np.cumsum([-1, *[len(tree.values) for tree in split]][:-1], dtype=np.intp)
        whole = math.fsum(tree.values[0] for tree in trees if not tree.features)
        return cls(tuple(trees), bias, mean, width, _Splits.of(split, width), before, values, whole)

    def score(self, row: Sequence[float]) -> float:
        """Log-odds for one row of features, NaN for missing ones."""
        return self.log_odds(filled(row))

    def log_odds(self, row: NDArray[np.float64]) -> float:
        """The same for a row that is `filled` already, for several forests."""
        if not self.trees:
            return self.bias
        total = self._whole
        if len(self._before):
            total += float(np.add.reduce(self._values.take(self._before + self._splits.leaves(row))))
        return self.bias + total if not self.mean else self.bias + _log_odds(total / len(self.trees))


def filled(row: Sequence[float]) -> NDArray[np.float64]:
    """The features twice: with missing ones under every threshold, and as they are, for NaN is under none."""
    return np.array([*[-math.inf if value != value else value for value in row], *row], dtype=np.float64)


def _log_odds(p: float) -> float:
    kept = min(max(p, 1e-4), 1 - 1e-4)
    return math.log(kept / (1 - kept))


def _check(tree: Tree, width: int) -> None:
    splits, leaves = len(tree.features), len(tree.values)
    lengths = {len(tree.thresholds), len(tree.missing_left), len(tree.left), len(tree.right), splits}
    if lengths != {splits} or leaves != splits + 1 or leaves > MOST_LEAVES:
        raise ValueError(f"a tree of {splits} splits needs {splits + 1} leaves, at most {MOST_LEAVES}, and as many entries in each list")
    if any(not 0 <= feature < width for feature in tree.features):
        raise ValueError(f"a tree splits on a feature beyond the {width} named")
    if sorted([*tree.left, *tree.right]) != [*range(-leaves, 0), *range(1, splits)] and splits:
        raise ValueError("each split and leaf of a tree must have one parent")


def _struck(tree: Tree) -> dict[int, int]:
    """For each split the leaves on its left, as a bit mask."""
    masks: dict[int, int] = {}
    order: list[int] = []

    def leaves(node: int) -> range:
        if node < 0:
            order.append(-1 - node)
            return range(len(order) - 1, len(order))
        first = len(order)
        left = leaves(tree.left[node])
        leaves(tree.right[node])
        masks[node] = sum(1 << leaf for leaf in left)
        return range(first, len(order))

    if tree.features:
        leaves(0)
        if order != list(range(len(tree.values))):
            raise ValueError("the leaves of a tree must be numbered from left to right and all be reached")
    return masks
