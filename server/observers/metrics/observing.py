"""Observing outcomes, and what the handlers tell of requests that have none."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from operator import attrgetter
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry
from prometheus_client.multiprocess import mark_process_dead

from router.types import Energy, GenerationRequest, Outcome, Usage, Verdict
from server.observers.metrics.alike import numbers, spread, tally_of, words
from server.observers.metrics.beside import Beside
from server.observers.metrics.families import MULTIPROCESS, Families
from server.observers.metrics.showing import CostPerSuccess, First, exposition, together
from server.observers.promises import Promises
from server.observers.savings import Yardstick
from server.observers.tally import Tally

KINDS = 1024
"""Outcomes of so many kinds are tallied at a time."""

_took: Callable[[Verdict], tuple[float, Usage, Energy | None]] = attrgetter("cost", "usage", "energy")
_NOTHING = (0.0, Usage(), None)


class Metrics:
    """Observes outcomes; what happened before there was one (a refusal, a place in flight) it is told by the handlers.

    What every outcome says is tallied, and told to the library when somebody looks; where other processes look, by the next turn of the
    event loop, for they cannot ask for it.
    """

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, yardsticks: Mapping[str, Yardstick] | None = None) -> None:
        """`yardsticks` say by route what its last tier alone would have cost."""
        self._yardsticks = yardsticks or {}
        self._tallies: dict[Hashable, Tally] = {}
        self._waiting: set[Tally] = set()
        self._running: Counter[str] = Counter()
        self._looked_at = MULTIPROCESS in os.environ  # by other processes
        self._telling = False
        self.registry = CollectorRegistry()
        self.registry.register(First(self.settle))
        self._to = to = Families(self.registry)
        self._overhead = Tally((), (spread(to, to.overhead),))
        self.promises, self.beside = Promises(self.registry), Beside(to)
        self.registry.register(CostPerSuccess(to.cost, to.tasks, to.labels))

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Count everything one outcome says."""
        to, alike = self._to, words(outcome)
        tally = self._tallies.get(alike) or self._new(alike, outcome)
        yardstick = self._yardsticks.get(outcome.route)
        self._waiting.add(tally)
        tally.add(numbers(outcome, None if yardstick is None else yardstick.compared(outcome)))
        for attempt in outcome.attempts:
            if attempt.energy is not None:
                to.count_joules(attempt.tier, (attempt.energy,))
            took = [*map(_took, attempt.verdicts)]
            if took.count(_NOTHING) < len(took):
                for cost, usage, energy in took:
                    to.asked(outcome.route, attempt.tier, cost, usage, (energy,))
        if (energy := outcome.energy) is not None:
            to.of(to.request_energy, outcome.route, energy.method).observe(energy.joules)
        if (aside := outcome.aside).cost or aside.energies:
            to.asked(outcome.route, "", aside.cost, aside.usage, aside.energies)
        if request.owner:
            to.of(to.key_requests, request.owner, outcome.code).inc()
            to.of(to.key_tokens, request.owner).inc(outcome.all_tokens)
            to.of(to.key_cost, request.owner).inc(outcome.cost)
        if self._looked_at:
            self._tell()

    def settle(self) -> None:
        """Tell the library what was tallied."""
        self._telling = False
        waiting, self._waiting = self._waiting, set()
        for tally in (self._overhead, *waiting):
            tally.settle()
        for route, count in self._running.items():
            self._to.of(self._to.inflight, route).set(count)

    def refused(self, route: str, code: str, key: str = "") -> None:
        """A request that no cascade saw; `route` and `key` are "" where they are unknown."""
        self._to.of(self._to.requests, route, "", code).inc()
        if key:
            self._to.of(self._to.key_requests, key, code).inc()

    def inflight(self, route: str, change: int) -> None:
        """So many more requests are in flight."""
        self._running[route] = self._running.get(route, 0) + change
        if self._looked_at:
            self._tell()

    def overhead(self, seconds: float) -> None:
        """What a request took beside its engine calls."""
        self._overhead.add((max(0.0, seconds),))
        if self._looked_at:
            self._tell()

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format, those of the other worker processes too."""
        if MULTIPROCESS not in os.environ:
            return exposition(self.registry)
        self.settle()
        return together(Path(os.environ[MULTIPROCESS]))

    def close(self) -> None:
        """This process counts no more."""
        self.settle()
        if MULTIPROCESS in os.environ:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    def _tell(self) -> None:
        """Settle once for all that this turn of the event loop brings; at once where none runs."""
        if self._telling:
            return
        try:
            asyncio.get_running_loop().call_soon(self.settle)
        except RuntimeError:
            self.settle()
        else:
            self._telling = True

    def _new(self, alike: Hashable, outcome: Outcome) -> Tally:
        """The tally of outcomes that nobody has seen of late."""
        if len(self._tallies) >= KINDS:
            self.settle()
            self._tallies.clear()
        return self._tallies.setdefault(alike, tally_of(self._to, outcome))
