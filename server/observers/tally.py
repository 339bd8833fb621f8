"""What outcomes that are alike add to counters and histograms, kept until it is told: one addition a request in place of a dozen."""

import collections
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import Counter, Histogram

MOST = 256
"""Outcomes that may wait."""

Tell = Callable[[Sequence[float]], None]
"""Takes the numbers of one kind, of at least one outcome."""


class Spread(Histogram):
    """A histogram that sees many numbers at once: one by one they cost it more than all else that is counted of a request."""

    def see(self, numbers: Sequence[float]) -> None:
        """As if each were observed."""
        self._sum.inc(sum(numbers))
        for place, count in collections.Counter(map(partial(bisect_left, self._upper_bounds), numbers)).items():
            self._buckets[place].inc(count)


class Tally:
    """Outcomes that differ in numbers alone: `ones` go up by one with each, and each of `columns` hears of one of its numbers."""

    __slots__ = ("_columns", "_ones", "_seen")

    def __init__(self, ones: Sequence[Counter], columns: Sequence[Tell]) -> None:
        self._ones, self._columns = ones, columns
        self._seen: list[Sequence[float | None]] = []

    def add(self, numbers: Sequence[float | None]) -> None:
        """One outcome: a number for each column, `None` where it has none."""
        self._seen.append(numbers)
        if len(self._seen) >= MOST:
            self.settle()

    def settle(self) -> None:
        """Tell all that waits."""
        seen, self._seen = self._seen, []
        if not seen:
            return
        for counter in self._ones:
            counter.inc(len(seen))
        for tell, numbers in zip(self._columns, zip(*seen, strict=True), strict=True):
            if known := [number for number in numbers if number is not None]:
                tell(known)
