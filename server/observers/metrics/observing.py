"""Observing outcomes, and what the handlers tell of requests that have none."""

import os
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry
from prometheus_client.multiprocess import mark_process_dead

from router.types import Attempt, GenerationRequest, Outcome, Verdict
from server.observers.metrics.attempts import Said, result, spent_on, success, tally_of
from server.observers.metrics.beside import Beside
from server.observers.metrics.families import MULTIPROCESS, Families
from server.observers.metrics.showing import CostPerSuccess, First, exposition, together
from server.observers.promises import Promises
from server.observers.savings import Yardstick
from server.observers.tally import Tally

_said: Callable[[Verdict], Said] = attrgetter("verifier", "ruling")


class Metrics:
    """Observes outcomes; what happened before there was one (a refusal, a place in flight) it is told by the handlers.

    What every outcome says is tallied, and told to the library when somebody looks; where other processes look, at once, for they cannot
    ask for it.
    """

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, yardsticks: Mapping[str, Yardstick] | None = None) -> None:
        """`yardsticks` say by route what its last tier alone would have cost."""
        self._yardsticks = yardsticks or {}
        self._tallies: dict[tuple[object, ...], Tally] = {}
        self._running: dict[str, int] = {}
        self._looked_at = MULTIPROCESS in os.environ  # by other processes
        self.registry = CollectorRegistry()
        self.registry.register(First(self.settle))
        self._to = to = Families(self.registry)
        self.promises, self.beside = Promises(self.registry), Beside(to)
        self.registry.register(CostPerSuccess(to.cost, to.tasks, to.labels))

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Count everything one outcome says."""
        route, kept, to = outcome.route, outcome.kept, self._to
        path = "escalated" if outcome.climbed else "direct"
        alike = (route, kept.tier if kept else "", outcome.code, path, success(outcome, kept), outcome.first_token_seconds is not None)
        tally = self._tallies.get(alike) or self._tallies.setdefault(alike, self._of_requests(*alike))
        tally.add((), (outcome.seconds, outcome.first_token_seconds or 0.0))
        for skip in outcome.decision.skipped:
            to.of(to.deferrals, route, skip.tier, skip.reason).inc()
        for attempt in outcome.attempts:
            self._observe_attempt(route, attempt, answered=attempt is kept)
        if (energy := outcome.energy) is not None:
            to.of(to.request_energy, route, energy.method).observe(energy.joules)
        if (yardstick := self._yardsticks.get(route)) is not None:
            self._compare(yardstick, outcome, kept)
        if (aside := outcome.aside).cost or aside.energies:
            to.asked(route, "", aside.cost, aside.usage, aside.energies)
        if request.owner:
            to.of(to.key_requests, request.owner, outcome.code).inc()
            to.of(to.key_tokens, request.owner).inc(outcome.all_tokens)
            to.of(to.key_cost, request.owner).inc(outcome.cost)
        if self._looked_at:
            self.settle()

    def settle(self) -> None:
        """Tell the library what was tallied."""
        for tally in self._tallies.values():
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
            self.settle()

    def overhead(self, seconds: float) -> None:
        """What a request took beside its engine calls."""
        tally = self._tallies.get(()) or self._tallies.setdefault((), Tally((), (), (self._to.overhead,)))
        tally.add((), (max(0.0, seconds),))
        if self._looked_at:
            self.settle()

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

    def _observe_attempt(self, route: str, attempt: Attempt, *, answered: bool) -> None:
        became, bought = result(attempt, answered=answered), spent_on(attempt, answered=answered)
        said = tuple(map(_said, attempt.verdicts))
        confidence = attempt.confidence
        alike = (route, attempt.tier, attempt.kind, became, bought, attempt.deferral, confidence is not None, said)
        tally = self._tallies.get(alike) or self._tallies.setdefault(alike, tally_of(self._to, *alike))
        tally.add((attempt.cost, attempt.usage.prompt_tokens, attempt.usage.completion_tokens), (attempt.seconds, confidence or 0.0))
        if attempt.energy is not None:
            self._to.count_joules(attempt.tier, (attempt.energy,))
        for verdict in attempt.verdicts:
            if verdict.cost or verdict.energy is not None or verdict.usage.prompt_tokens or verdict.usage.completion_tokens:
                self._to.asked(route, attempt.tier, verdict.cost, verdict.usage, (verdict.energy,))

    def _compare(self, yardstick: Yardstick, outcome: Outcome, kept: Attempt | None) -> None:
        for attempt in outcome.attempts:
            yardstick.learn(attempt)
        if outcome.code == "ok" and kept is not None and (dollars := yardstick.dollars(kept)) is not None:
            self._to.of(self._to.large_only, outcome.route).inc(dollars)

    def _of_requests(self, route: str, tier: str, code: str, path: str, achieved: str | None, streamed: bool) -> Tally:
        """The tally of outcomes that these words describe."""
        to = self._to
        ones = [to.of(to.requests, route, tier, code), *([to.of(to.tasks, route, achieved)] if achieved else [])]
        first = [to.of(to.first_token, route)] if streamed else []
        return Tally(ones, (), (to.of(to.seconds, route, path), *first))
