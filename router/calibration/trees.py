"""Ensembles of small decision trees as flat arrays, evaluated on one row in microseconds (after QuickScorer: Lucchese et al., SIGIR 2015).

Each tree has at most 64 leaves, numbered from left to right. Every split that sends the row to the right strikes out the leaves on its
left; the first leaf not struck out is the tree's answer. All splits of all trees are asked at once, tree after tree, in memory that is read
in order: a few operations on arrays, whatever the number of trees.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

from router.compiled import built

_COMPILED = built("trees")
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


class Summed(Protocol):
    """Trees, and how they add up: to log-odds, or, with `mean`, to a mean probability."""

    @property
    def trees(self) -> Sequence[Tree]: ...

    @property
    def bias(self) -> float: ...

    @property
    def mean(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Sum:
    """How the trees of one ensemble add up: those with splits lie from `first` to `last`, those of one leaf say `whole` together."""

    first: int
    last: int
    whole: float
    trees: int
    bias: float
    mean: bool

    def of(self, said: NDArray[np.float64]) -> float:
        """Log-odds from what all trees said."""
        if not self.trees:
            return self.bias
        total = self.whole
        if self.last > self.first:
            total += float(np.add.reduce(said[self.first : self.last]))
        return self.bias + total if not self.mean else self.bias + _log_odds(total / self.trees)


@dataclass(frozen=True, slots=True)
class Forests:
    """Ensembles that see the same features, all their splits asked at once.

    The splits lie one tree's after the other's, a tree's from its place in `_starts` on; those that send a row to the right strike out the
    leaves of their `_masks`. `_places` are those of their features in a row of the `_columns`: each a feature with what stands for a
    missing value: under every threshold, or NaN, which is under none.
    """

    _columns: tuple[tuple[Any, float], ...]
    _places: NDArray[np.intp]
    _thresholds: NDArray[np.float64]
    _masks: NDArray[np.unsignedinteger[Any]]
    _starts: NDArray[np.intp]
    _before: NDArray[np.intp]
    _values: NDArray[np.float64]
    _sums: tuple[_Sum, ...]
    _splits: Any = field(default=None, compare=False, repr=False)
    """The same tables as compiled code sees them, where there is any."""

    def __post_init__(self) -> None:
        if _COMPILED is not None:
            tables = self._columns, self._places, self._thresholds, self._masks.astype(np.uint64), self._starts, self._before, self._values
            object.__setattr__(self, "_splits", _COMPILED.Splits(*tables, map(astuple, self._sums)))

    @classmethod
    def of(cls, ensembles: Sequence[Summed], features: Sequence[Any]) -> "Forests":
        """Build the tables for trees that number these features; raises ValueError for trees that are not sound."""
        for tree in [tree for one in ensembles for tree in one.trees]:
            _check(tree, len(features))
        trees = [tree for one in ensembles for tree in one.trees if tree.features]
        struck = [(tree, node, mask) for tree in trees for node, mask in _struck(tree).items()]
        asked = [(features[tree.features[node]], -math.inf if tree.missing_left[node] else math.nan) for tree, node, _ in struck]
        columns = {column: place for place, column in enumerate(dict.fromkeys(asked))}
        widest = max((len(tree.values) for tree in trees), default=1)
        return cls(
            tuple(columns),
            np.array([columns[column] for column in asked], dtype=np.intp),
            np.array([tree.thresholds[node] for tree, node, _ in struck], dtype=np.float64),
            np.array([mask for _, _, mask in struck], dtype=next(dtype for bits, dtype in _DTYPES.items() if bits >= widest)),
            np.cumsum([0, *[len(tree.features) for tree in trees]][:-1], dtype=np.intp),
            np.cumsum([-1, *[len(tree.values) for tree in trees]][:-1], dtype=np.intp),
            np.array([value for tree in trees for value in tree.values], dtype=np.float64),
            tuple(_sums(ensembles)),
        )

    @property
    def reads(self) -> frozenset[Any]:
        """The features that any tree splits on."""
        return frozenset(feature for feature, _ in self._columns)

    def log_odds(self, found: Mapping[Any, float]) -> list[float]:
        """What each ensemble says of these features; one that is absent or NaN is missing."""
        return self.plain(found) if self._splits is None else self._splits.log_odds(found if isinstance(found, dict) else dict(found))

    def plain(self, found: Mapping[Any, float]) -> list[float]:
        """The same without compiled code."""
        row = np.array([value if (value := found.get(name, missing)) == value else missing for name, missing in self._columns])
        said = self._values
        if self._columns:
            left = row.take(self._places) <= self._thresholds
            struck = np.bitwise_or.reduceat(np.where(left, 0, self._masks), self._starts)
            said = said.take(self._before + np.bitwise_count(struck ^ (struck + 1)))
        return [one.of(said) for one in self._sums]


def _sums(ensembles: Sequence[Summed]) -> Iterator[_Sum]:
    last = 0
    for one in ensembles:
        first, last = last, last + sum(bool(tree.features) for tree in one.trees)
        yield _Sum(first, last, math.fsum(tree.values[0] for tree in one.trees if not tree.features), len(one.trees), one.bias, one.mean)


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
