"""What outcomes that are alike add to counters and histograms, kept until it is told: one addition a request in place of a dozen."""

from collections.abc import Sequence

from prometheus_client import Counter, Histogram

MOST = 256
"""Outcomes that may wait."""


class Tally:
    """Outcomes that differ in numbers alone: `ones` go up by one with each, `sums` by its amounts, `spreads` see its values."""

    __slots__ = ("_ones", "_seen", "_spreads", "_sums")

    def __init__(self, ones: Sequence[Counter], sums: Sequence[Counter], spreads: Sequence[Histogram]) -> None:
        self._ones, self._sums, self._spreads = ones, sums, spreads
        self._seen: list[tuple[tuple[float, ...], tuple[float, ...]]] = []

    def add(self, amounts: tuple[float, ...], values: tuple[float, ...]) -> None:
        """One outcome; values beyond the histograms that there are do not count."""
        self._seen.append((amounts, values))
        if len(self._seen) >= MOST:
            self.settle()

    def settle(self) -> None:
        """Tell all that waits."""
        seen, self._seen = self._seen, []
        if not seen:
            return
        for counter in self._ones:
            counter.inc(len(seen))
        for place, counter in enumerate(self._sums):
            counter.inc(sum(amounts[place] for amounts, _ in seen))
        for place, histogram in enumerate(self._spreads):
            for _, values in seen:
                histogram.observe(values[place])
