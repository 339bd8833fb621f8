"""Ensembles of small decision trees as flat arrays, evaluated on one row in microseconds (QuickScorer: Lucchese et al., SIGIR 2015).

Each tree has at most 64 leaves, numbered from left to right. Every split that sends the row to the right strikes out the leaves on its
left, by a bit mask; the first leaf not struck out is the tree's answer. All splits of all trees are looked at in one step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

MOST_LEAVES = 64
_LARGE = 1e300


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
class Forest:
    """A sum of trees plus `bias`; with `mean`, the log-odds of the mean of trees whose leaves are probabilities."""

    trees: tuple[Tree, ...]
    bias: float
    mean: bool
    width: int
    _at: NDArray[np.intp]
    _limits: NDArray[np.float64]
    _masks: NDArray[np.uint64]
    _values: NDArray[np.float64]

    @classmethod
    def of(cls, trees: Sequence[Tree], width: int, bias: float = 0.0, mean: bool = False) -> "Forest":
        """Build the flat arrays for rows of `width` features; raises ValueError for trees that are not sound."""
        deepest, widest = max((len(t.features) for t in trees), default=0), max((len(t.values) for t in trees), default=1)
        at = np.zeros((deepest, len(trees)), dtype=np.intp)
        limits = np.full((deepest, len(trees)), _LARGE)
        masks = np.full((deepest, len(trees)), np.iinfo(np.uint64).max, dtype=np.uint64)
        values = np.zeros((len(trees), widest))
        for number, tree in enumerate(trees):
            _check(tree, width)
            values[number, : len(tree.values)] = tree.values
            for node, mask in _struck(tree).items():
                at[node, number] = tree.features[node] + (0 if tree.missing_left[node] else width)
                limits[node, number] = tree.thresholds[node]
                masks[node, number] = mask
        return cls(tuple(trees), bias, mean, width, at, limits, masks, values)

    def score(self, row: Sequence[float]) -> float:
        """Log-odds for one row of features, NaN for missing ones."""
        return self.of_both(both_ways(row))

    def of_both(self, both: NDArray[np.float64]) -> float:
        """Log-odds for a row that `both_ways` prepared, once for several forests."""
        if not self.trees:
            return self.bias
        struck = np.where(both.take(self._at) > self._limits, self._masks, _ALL)
        left = np.bitwise_and.reduce(struck, axis=0)
        leaves = np.frexp((left & (~left + _ONE)).astype(np.float64))[1] - 1
        total = float(self._values[np.arange(len(leaves)), leaves].sum())
        return self.bias + total if not self.mean else self.bias + _log_odds(total / len(leaves))


def both_ways(row: Sequence[float]) -> NDArray[np.float64]:
    """The row twice: missing values as minus infinity for splits that send them to the left, as plus infinity for the others."""
    given = np.array(row, dtype=np.float64)
    missing = np.isnan(given)
    both = np.concatenate([given, given])
    if missing.any():
        both[: len(given)][missing] = -np.inf
        both[len(given) :][missing] = np.inf
    return both


_ALL, _ONE = np.uint64(np.iinfo(np.uint64).max), np.uint64(1)


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
    """For each split the mask that keeps all leaves but those on its left."""
    masks: dict[int, int] = {}
    everything = 2**MOST_LEAVES - 1
    order: list[int] = []

    def leaves(node: int) -> range:
        if node < 0:
            order.append(-1 - node)
            return range(len(order) - 1, len(order))
        first = len(order)
        left = leaves(tree.left[node])
        leaves(tree.right[node])
        masks[node] = everything ^ sum(1 << leaf for leaf in left)
        return range(first, len(order))

    if tree.features:
        leaves(0)
        if order != list(range(len(tree.values))):
            raise ValueError("the leaves of a tree must be numbered from left to right and all be reached")
    return masks
