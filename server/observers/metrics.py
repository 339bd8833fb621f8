"""Prometheus metrics of outcomes: fixed names, closed sets of labels, one registry an application."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from router.types import Aside, Attempt, Energy, GenerationRequest, Outcome, Ruling, Usage, Verdict
from server.observers.promises import Promises
from server.observers.savings import Yardstick
from server.observers.tally import Tally

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
_Said = tuple[str, Ruling]
Kind = TypeVar("Kind", Counter, Gauge, Histogram)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
JOULES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)


class Metrics:
    """Observes outcomes; what happened before there was one (a refusal, a place in flight) it is told by the handlers.

    What every outcome says is tallied, and told to the library when somebody looks; where other processes look, at once, for they cannot
    ask for it.
    """

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, yardsticks: Mapping[str, Yardstick] | None = None) -> None:
        """`yardsticks` say by route what its last tier alone would have cost."""
        self._yardsticks = yardsticks or {}
        self._children: dict[tuple[object, tuple[str, ...]], Any] = {}
        self._tallies: dict[tuple[object, ...], Tally] = {}
        self._running: dict[str, int] = {}
        self._looked_at = MULTIPROCESS in os.environ  # by other processes
        self.registry = CollectorRegistry()
        self.registry.register(_First(self.settle))
        self._requests = self._counter("requests", "Requests by the tier that answered and the API's code", "route", "tier", "code")
        self._seconds = self._histogram("request_seconds", "From arrival to the last byte's readiness", SECONDS, "route", "path")
        self._first_token = self._histogram("first_token_seconds", "From arrival to the commit of a stream", SECONDS, "route")
        self._attempt_seconds = self._histogram("attempt_seconds", "One engine call", SECONDS, "route", "tier")
        self._attempts = self._counter("attempts", "Engine calls by what became of them", "route", "tier", "result")
        self._repairs = self._counter("repairs", "Further tries of a tier that was told its violations", "route", "tier", "result")
        self._deferrals = self._counter("deferrals", "Why tiers were passed over or drafts not kept", "route", "tier", "reason")
        self._verdicts = self._counter("verdicts", "What verifiers said", "route", "tier", "verifier", "ruling")
        self._schema_checks = self._counter("schema_checks", "Drafts held to the request's own contract", "route", "tier", "valid")
        self._tool_calls = self._counter("tool_calls", "Drafts whose tool calls were tried", "route", "tier", "executable")
        self._tokens = self._counter("tokens", "Tokens of every attempt, verifier, guard, ranker and audit", "route", "tier", "kind")
        self._cost = self._counter("cost_usd", "Dollars by what they were spent on", "route", "tier", "kind")
        self._tasks = self._counter("tasks", "Requests by our own verdict on their answer", "route", "success")
        self._confidence = self._histogram("confidence", "Calibrated confidence in drafts", SHARES, "route", "tier")
        self._overhead = self._histogram("overhead_seconds", "The gateway's own time in a request", OVERHEAD)
        self._inflight = Gauge("smallfirst_inflight", "Requests in flight", ("route",), registry=self.registry, multiprocess_mode="livesum")
        self._labels = self._counter("labels", "What became known of drafts", "route", "source", "success")
        self._lost = self._counter("outcomes_lost", "Entries that the outcome store never took")
        self._missed = self._counter("audits_missed", "Audits that made no label", "route", "reason")
        self.promises = Promises(self.registry)
        self._large_only = self._counter("large_only_usd", "Dollars that the answers had cost on the route's last tier alone", "route")
        self._energy = self._counter("energy_joules", "Joules of generations and of judging them", "tier", "method")
        self._request_energy = self._histogram("request_joules", "Joules of a whole request", JOULES, "route", "method")
        self._idle_energy = self._counter("energy_idle_joules", "Joules while no call ran", "method")
        self._idle_cost = self._counter("idle_usd", "Dollars of machines paid by the hour while no call ran", "machine")
        self._up = Gauge(
            "smallfirst_engine_up", "1 if it is healthy and takes calls", ("engine",), registry=self.registry, multiprocess_mode="livemin"
        )
        self._key_requests = self._counter("key_requests", "Requests of an API key by the API's code", "key", "code")
        self._key_tokens = self._counter("key_tokens", "Tokens that a key's requests took, of all attempts and verifiers", "key")
        self._key_cost = self._counter("key_cost_usd", "Dollars that a key's requests cost", "key")
        self._key_budget = Gauge(
            "smallfirst_key_budget_used_ratio",
            "The share of a key's budget that is used or held",
            ("key", "period"),
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self._ledger_lost = self._counter("key_ledger_lost", "Exchanges of what keys used that failed")
        self.registry.register(_CostPerSuccess(self._cost, self._tasks, self._labels))

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Count everything one outcome says."""
        route, kept = outcome.route, outcome.kept
        path = "escalated" if len({attempt.tier for attempt in outcome.attempts}) > 1 else "direct"
        alike = (route, kept.tier if kept else "", outcome.code, path, _success(outcome), outcome.first_token_seconds is not None)
        tally = self._tallies.get(alike) or self._tallies.setdefault(alike, self._of_requests(*alike))
        tally.add((), (outcome.seconds, outcome.first_token_seconds or 0.0))
        for skip in outcome.decision.skipped:
            self._of(self._deferrals, route, skip.tier, skip.reason).inc()
        for index, attempt in enumerate(outcome.attempts):
            self._observe_attempt(route, attempt, answered=index == outcome.answer)
        if (energy := outcome.energy) is not None:
            self._of(self._request_energy, route, energy.method).observe(energy.joules)
        if (yardstick := self._yardsticks.get(route)) is not None:
            self._compare(yardstick, outcome)
        self._observe_aside(route, outcome.aside)
        if request.owner:
            self._of(self._key_requests, request.owner, outcome.code).inc()
            self._of(self._key_tokens, request.owner).inc(outcome.all_tokens)
            self._of(self._key_cost, request.owner).inc(outcome.cost)
        self._settle_for_others()

    def settle(self) -> None:
        """Tell the library what was tallied."""
        for tally in self._tallies.values():
            tally.settle()
        for route, count in self._running.items():
            self._of(self._inflight, route).set(count)

    def refused(self, route: str, code: str, key: str = "") -> None:
        """A request that no cascade saw; `route` and `key` are "" where they are unknown."""
        self._of(self._requests, route, "", code).inc()
        if key:
            self._of(self._key_requests, key, code).inc()

    def key_budget(self, key: str, period: str, share: float) -> None:
        """How much of its budget a key has used, or holds."""
        self._of(self._key_budget, key, period).set(share)

    def ledger_lost(self) -> None:
        """An exchange that failed."""
        self._ledger_lost.inc()

    def inflight(self, route: str, change: int) -> None:
        """So many more requests are in flight."""
        self._running[route] = self._running.get(route, 0) + change
        self._settle_for_others()

    def overhead(self, seconds: float) -> None:
        """What a request took beside its engine calls."""
        tally = self._tallies.get(()) or self._tallies.setdefault((), Tally((), (), (self._overhead,)))
        tally.add((), (max(0.0, seconds),))
        self._settle_for_others()

    def labelled(self, route: str, source: str, success: bool) -> None:
        """A label more."""
        self._of(self._labels, route, source, "true" if success else "false").inc()

    def lost(self, count: int) -> None:
        """Entries that the store never took."""
        self._lost.inc(count)

    def audit_cost(self, route: str, tier: str, dollars: float) -> None:
        """What an audit cost."""
        self._of(self._cost, route, tier, "audit").inc(dollars)

    def audit_tokens(self, route: str, tier: str, usage: Usage) -> None:
        """What an audit read and wrote."""
        self._count_tokens(route, tier, "audit_", usage)

    def audit_energy(self, tier: str, energy: Energy) -> None:
        """What an audit took."""
        self._of(self._energy, tier, energy.method).inc(energy.joules)

    def idle_joules(self, method: str, joules: float) -> None:
        """Nobody ran meanwhile."""
        self._of(self._idle_energy, method).inc(joules)

    def idle_dollars(self, machine: str, dollars: float) -> None:
        """Nobody ran on it meanwhile."""
        self._of(self._idle_cost, machine).inc(dollars)

    def engine_up(self, engine: str, up: bool) -> None:
        """As of its last health check."""
        self._of(self._up, engine).set(1 if up else 0)

    def audit_missed(self, route: str, reason: str) -> None:
        """An audit that made no label."""
        self._of(self._missed, route, reason).inc()

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format, those of the other worker processes too."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(_Named(self.registry))
        self.settle()
        _bury(Path(os.environ[MULTIPROCESS]))
        joined = CollectorRegistry()
        MultiProcessCollector(joined)  # type: ignore[no-untyped-call]
        return generate_latest(_Named(joined))

    def close(self) -> None:
        """This process counts no more."""
        self.settle()
        if MULTIPROCESS in os.environ:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    def _compare(self, yardstick: Yardstick, outcome: Outcome) -> None:
        for attempt in outcome.attempts:
            yardstick.learn(attempt)
        if outcome.code == "ok" and outcome.kept is not None and (dollars := yardstick.dollars(outcome.kept)) is not None:
            self._of(self._large_only, outcome.route).inc(dollars)

    def _observe_aside(self, route: str, aside: Aside) -> None:
        """Of no tier: nothing was generated yet."""
        if aside.cost:
            self._of(self._cost, route, "", "verifier").inc(aside.cost)
        self._count_tokens(route, "", "verifier_", aside.usage)
        for energy in filter(None, aside.energies):
            self._of(self._energy, "", energy.method).inc(energy.joules)

    def _count_tokens(self, route: str, tier: str, kind: str, usage: Usage) -> None:
        """Those of no attempt, where there are any."""
        if usage.total_tokens:
            self._of(self._tokens, route, tier, f"{kind}prompt").inc(usage.prompt_tokens)
            self._of(self._tokens, route, tier, f"{kind}completion").inc(usage.completion_tokens)

    def _of_requests(self, route: str, tier: str, code: str, path: str, success: str | None, streamed: bool) -> Tally:
        """The tally of outcomes that these words describe."""
        ones = [self._of(self._requests, route, tier, code), *([self._of(self._tasks, route, success)] if success else [])]
        first = [self._of(self._first_token, route)] if streamed else []
        return Tally(ones, (), (self._of(self._seconds, route, path), *first))

    def _observe_attempt(self, route: str, attempt: Attempt, *, answered: bool) -> None:
        result, spent_on = _result(attempt, answered=answered), _spent_on(attempt, answered=answered)
        said = tuple([(verdict.verifier, verdict.ruling) for verdict in attempt.verdicts])
        confidence = attempt.confidence
        alike = (route, attempt.tier, attempt.kind, result, spent_on, attempt.deferral, confidence is not None, said)
        tally = self._tallies.get(alike) or self._tallies.setdefault(alike, self._of_attempts(*alike))
        tally.add((attempt.cost, attempt.usage.prompt_tokens, attempt.usage.completion_tokens), (attempt.seconds, confidence or 0.0))
        if attempt.energy is not None:
            self._of(self._energy, attempt.tier, attempt.energy.method).inc(attempt.energy.joules)
        for verdict in attempt.verdicts:
            self._observe_asked(route, attempt.tier, verdict)

    def _of_attempts(
        self, route: str, tier: str, kind: str, result: str, spent_on: str, deferral: str | None, sure: bool, said: Sequence[_Said]
    ) -> Tally:
        """The tally of attempts that these words describe."""
        ones = [self._of(self._attempts, route, tier, result)]
        ones += [self._of(self._repairs, route, tier, result)] if kind == "repair" else []
        ones += [self._of(self._deferrals, route, tier, deferral)] if deferral is not None else []
        ones += [self._of(self._verdicts, route, tier, verifier, ruling.value) for verifier, ruling in said]
        for verifier, ruling in said:
            checks = {"contract": self._schema_checks, "function": self._tool_calls}.get(verifier)
            if checks is not None and ruling in (Ruling.ACCEPT, Ruling.DEFER):
                ones.append(self._of(checks, route, tier, "true" if ruling is Ruling.ACCEPT else "false"))
        tokens = (self._of(self._tokens, route, tier, kind) for kind in ("prompt", "completion"))
        spreads = [self._of(self._attempt_seconds, route, tier), *([self._of(self._confidence, route, tier)] if sure else [])]
        return Tally(ones, (self._of(self._cost, route, tier, spent_on), *tokens), spreads)

    def _observe_asked(self, route: str, tier: str, verdict: Verdict) -> None:
        """What a verifier took that asked a model or a service."""
        if verdict.cost:
            self._of(self._cost, route, tier, "verifier").inc(verdict.cost)
        self._count_tokens(route, tier, "verifier_", verdict.usage)
        if verdict.energy is not None:
            self._of(self._energy, tier, verdict.energy.method).inc(verdict.energy.joules)

    def _settle_for_others(self) -> None:
        if self._looked_at:
            self.settle()

    def _of(self, metric: Kind, *labels: str) -> Kind:
        """The metric under these labels, remembered: the library's own look-up costs more than the counting."""
        found: Kind | None = self._children.get((metric, labels))
        if found is None:
            found = self._children[metric, labels] = metric.labels(*labels)
        return found

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"smallfirst_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"smallfirst_{name}", text, labels, buckets=tuple(buckets), registry=self.registry)


def _bury(folder: Path) -> None:
    """Gauges of workers that were killed hold for nobody; what such a worker counted stays counted."""
    for worker in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*_*.db")}:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            mark_process_dead(worker)  # type: ignore[no-untyped-call]


class _First:
    """A collector without metrics of its own that is asked before all others."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked

    def collect(self) -> Iterator[Metric]:
        self._asked()
        return iter(())


class _Named:
    """What a registry collects, the joules of requests under their own name.

    Prometheus tells the counter `smallfirst_energy_joules_total` and the histogram `smallfirst_energy_joules` apart, the client library,
    which drops the counter's ending, does not.
    """

    own, shown = "smallfirst_request_joules", "smallfirst_energy_joules"

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            yield self._renamed(family) if family.name == self.own else family

    def _renamed(self, family: Metric) -> Metric:
        renamed = Metric(self.shown, family.documentation, family.type)
        renamed.samples = [sample._replace(name=sample.name.replace(self.own, self.shown)) for sample in family.samples]
        return renamed


class _CostPerSuccess:
    """Dollars over tasks that succeeded, from the counters of this one process; with several workers recording rules do it.

    `verified`: tasks that our verifiers vouched for. `label`: only some answers get a label, so it is dollars a task over the share of
    good labels.
    """

    def __init__(self, cost: Counter, tasks: Counter, labels: Counter) -> None:
        self._cost, self._tasks, self._labels = cost, tasks, labels

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a route that had a success."""
        family = GaugeMetricFamily("smallfirst_cost_per_success_usd", "Dollars per task that succeeded", labels=("route", "by"))
        spent, tasks = _by_route(self._cost), _by_route(self._tasks)
        labels, good = _by_route(self._labels), _by_route(self._labels, success="true")
        for route, count in _by_route(self._tasks, success="verified").items():
            if count:
                family.add_metric((route, "verified"), spent.get(route, 0.0) / count)
        for route, count in good.items():
            if count and tasks.get(route):
                family.add_metric((route, "label"), spent.get(route, 0.0) / tasks[route] / (count / labels[route]))
        yield family


def _by_route(counter: Counter, **labels: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in counter.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total") and labels.items() <= sample.labels.items():
                route = sample.labels["route"]
                found[route] = found.get(route, 0.0) + sample.value
    return found


def _result(attempt: Attempt, *, answered: bool) -> str:
    if attempt.cancelled:
        return "cancelled"
    if attempt.failure is not None:
        return "failed"
    return "kept" if answered else "deferred"


def _spent_on(attempt: Attempt, *, answered: bool) -> str:
    if attempt.cancelled:
        return "cancelled"
    if answered:
        return "answer"
    return "repair" if attempt.kind == "repair" else "draft"


def _success(outcome: Outcome) -> str | None:
    """Our own verdict: verified if a verifier accepted and none objected; no task where the client left or nothing was tried."""
    kept = outcome.kept
    if kept is not None and outcome.code == "ok":
        vouched = kept.deferral is None and any(verdict.ruling is Ruling.ACCEPT for verdict in kept.verdicts)
        return "verified" if vouched else "unverified"
    return "failed" if outcome.attempts and outcome.code != "cancelled" else None
