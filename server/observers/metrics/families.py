"""All metrics that there are, but for those of promises."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from router.types import Energy, Usage
from server.observers.tally import Spread

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Under this name of the environment stands the folder that several processes share their metrics in."""

Mode = Literal["livesum", "livemin", "livemax"]
Kind = TypeVar("Kind", Counter, Gauge, Spread)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
JOULES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)


class Families:
    """The metrics of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers them."""
        self._registry = registry
        self._children: dict[tuple[object, tuple[str, ...]], Any] = {}
        self.requests = self._counter("requests", "Requests by the tier that answered and the API's code", "route", "tier", "code")
        self.seconds = self._histogram("request_seconds", "From arrival to the last byte's readiness", SECONDS, "route", "path")
        self.first_token = self._histogram("first_token_seconds", "From arrival to the commit of a stream", SECONDS, "route")
        self.attempt_seconds = self._histogram("attempt_seconds", "One engine call", SECONDS, "route", "tier")
        self.attempts = self._counter("attempts", "Engine calls by what became of them", "route", "tier", "result")
        self.repairs = self._counter("repairs", "Further tries of a tier that was told its violations", "route", "tier", "result")
        self.deferrals = self._counter("deferrals", "Why tiers were passed over or drafts not kept", "route", "tier", "reason")
        self.verdicts = self._counter("verdicts", "What verifiers said", "route", "tier", "verifier", "ruling")
        self.schema_checks = self._counter("schema_checks", "Drafts held to the request's own contract", "route", "tier", "valid")
        self.tool_calls = self._counter("tool_calls", "Drafts whose tool calls were tried", "route", "tier", "executable")
        self.tokens = self._counter("tokens", "Tokens of every attempt, verifier, guard, ranker and audit", "route", "tier", "kind")
        self.cost = self._counter("cost_usd", "Dollars by what they were spent on", "route", "tier", "kind")
        self.tasks = self._counter("tasks", "Requests by our own verdict on their answer", "route", "success")
        self.confidence = self._histogram("confidence", "Calibrated confidence in drafts", SHARES, "route", "tier")
        self.overhead = self._histogram("overhead_seconds", "The gateway's own time in a request", OVERHEAD)
        self.inflight = self._gauge("inflight", "Requests in flight", "livesum", "route")
        self.labels = self._counter("labels", "What became known of drafts", "route", "source", "success")
        self.lost = self._counter("outcomes_lost", "Entries that the outcome store never took")
        self.missed = self._counter("audits_missed", "Audits that made no label", "route", "reason")
        self.large_only = self._counter("large_only_usd", "Dollars that the answers had cost on the route's last tier alone", "route")
        self.energy = self._counter("energy_joules", "Joules of generations and of judging them", "tier", "method")
        self.request_energy = self._histogram("request_joules", "Joules of a whole request", JOULES, "route", "method")
        self.idle_energy = self._counter("energy_idle_joules", "Joules while no call ran", "method")
        self.idle_cost = self._counter("idle_usd", "Dollars of machines paid by the hour while no call ran", "machine")
        self.up = self._gauge("engine_up", "1 if it is healthy and takes calls", "livemin", "engine")
        self.key_requests = self._counter("key_requests", "Requests of an API key by the API's code", "key", "code")
        self.key_tokens = self._counter("key_tokens", "Tokens that a key's requests took, of all attempts and verifiers", "key")
        self.key_cost = self._counter("key_cost_usd", "Dollars that a key's requests cost", "key")
        told = "The share of a key's budget that is used or held"
        self.key_budget = self._gauge("key_budget_used_ratio", told, "livemax", "key", "period")
        self.ledger_lost = self._counter("key_ledger_lost", "Exchanges of what keys used that failed")

    def of(self, metric: Kind, *labels: str) -> Kind:
        """The metric under these labels, remembered: the library's own look-up costs more than the counting."""
        found: Kind | None = self._children.get((metric, labels))
        if found is None:
            found = self._children[metric, labels] = metric.labels(*labels) if labels else metric
        return found

    def asked(self, route: str, tier: str, cost: float, usage: Usage, energies: Iterable[Energy | None]) -> None:
        """What verifiers, guards and rankers took, where they asked a model or a service; `tier` is "" before there is one."""
        if cost:
            self.of(self.cost, route, tier, "verifier").inc(cost)
        self.count_tokens(route, tier, "verifier_", usage)
        self.count_joules(tier, energies)

    def count_tokens(self, route: str, tier: str, kind: str, usage: Usage) -> None:
        """Those of no attempt, where there are any."""
        if usage.total_tokens:
            self.of(self.tokens, route, tier, f"{kind}prompt").inc(usage.prompt_tokens)
            self.of(self.tokens, route, tier, f"{kind}completion").inc(usage.completion_tokens)

    def count_joules(self, tier: str, energies: Iterable[Energy | None]) -> None:
        """Those that were measured."""
        for energy in energies:
            if energy is not None:
                self.of(self.energy, tier, energy.method).inc(energy.joules)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"smallfirst_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Spread:
        return Spread(f"smallfirst_{name}", text, labels, buckets=tuple(buckets), registry=self._registry)

    def _gauge(self, name: str, text: str, mode: Mode, *labels: str) -> Gauge:
        return Gauge(f"smallfirst_{name}", text, labels, registry=self._registry, multiprocess_mode=mode)
