"""Ensembles of small decision trees as flat arrays, evaluated on one row in microseconds (QuickScorer: Lucchese et al., SIGIR 2015).

Each tree has at most 64 leaves, numbered from left to right. Every split that sends the row to the right strikes out the leaves on its
left; the first leaf not struck out is the tree's answer. The splits of all trees on one feature are sorted by threshold, and for each place
in that order one long integer holds, tree beside tree, all the leaves that a value there strikes out: a row costs one bisection and one
`or` a feature, whatever the number of trees.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

MOST_LEAVES = 64
_DTYPES: dict[int, np.dtype[np.unsignedinteger[Any]]] = {16: np.dtype("<u2"), 32: np.dtype("<u4"), 64: np.dtype("<u8")}


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
    """All splits on one feature: `struck[n]` are the leaves gone where n of the rising `limits` lie under the value, `missing` for NaN."""

    feature: int
    limits: tuple[float, ...]
    struck: tuple[int, ...]
    missing: int


@dataclass(frozen=True, slots=True)
class Forest:
    """A sum of trees plus `bias`; with `mean`, the log-odds of the mean of trees whose leaves are probabilities."""

    trees: tuple[Tree, ...]
    bias: float
    mean: bool
    width: int
    _splits: tuple[_Splits, ...]
    _slot: int
    _before: NDArray[np.intp]
    _values: NDArray[np.float64]

    @classmethod
    def of(cls, trees: Sequence[Tree], width: int, bias: float = 0.0, mean: bool = False) -> "Forest":
        """Build the tables for rows of `width` features; raises ValueError for trees that are not sound."""
        for tree in trees:
            _check(tree, width)
        widest = max((len(tree.values) for tree in trees), default=1)
        slot = next(bits for bits in _DTYPES if bits >= widest)
        values = np.zeros((len(trees), widest))
        for number, tree in enumerate(trees):
            values[number, : len(tree.values)] = tree.values
        before = np.arange(len(trees), dtype=np.intp) * widest - 1
        return cls(tuple(trees), bias, mean, width, _tables(trees, slot), slot, before, values.ravel())

    def score(self, row: Sequence[float]) -> float:
        """Log-odds for one row of features, NaN for missing ones."""
        if not self.trees:
            return self.bias
        struck = 0
        for splits in self._splits:
            value = row[splits.feature]
            struck |= splits.struck[bisect_left(splits.limits, value)] if value == value else splits.missing
        gone = np.frombuffer(struck.to_bytes(len(self.trees) * self._slot // 8, "little"), dtype=_DTYPES[self._slot])
        beyond = np.bitwise_count(gone ^ (gone + 1))  # the leaves struck out before the first that is not, and that one
        total = float(np.add.reduce(self._values.take(self._before + beyond)))
        return self.bias + total if not self.mean else self.bias + _log_odds(total / len(self.trees))


def _tables(trees: Sequence[Tree], slot: int) -> tuple[_Splits, ...]:
    found: dict[int, list[tuple[float, int, bool]]] = defaultdict(list)
    for number, tree in enumerate(trees):
        for node, mask in _struck(tree).items():
            found[tree.features[node]].append((tree.thresholds[node], mask << (slot * number), tree.missing_left[node]))
    return tuple(_sorted(feature, splits) for feature, splits in sorted(found.items()))


def _sorted(feature: int, splits: list[tuple[float, int, bool]]) -> _Splits:
    splits.sort()
    struck, missing = [0], 0
    for _, mask, left in splits:
        struck.append(struck[-1] | mask)
        missing |= 0 if left else mask
    return _Splits(feature, tuple(limit for limit, _, _ in splits), tuple(struck), missing)


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
