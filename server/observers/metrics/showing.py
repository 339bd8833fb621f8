"""How metrics are shown: what is derived from others when somebody looks, and the metrics of all worker processes together."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


def exposition(registry: CollectorRegistry) -> bytes:
    """The registry in Prometheus' text format."""
    return generate_latest(_Named(registry))


def together(folder: Path) -> bytes:
    """Those of all processes that share the folder."""
    _bury(folder)
    joined = CollectorRegistry()
    MultiProcessCollector(joined)  # type: ignore[no-untyped-call]
    return exposition(joined)


def _bury(folder: Path) -> None:
    """Gauges of workers that were killed hold for nobody; what such a worker counted stays counted."""
    for worker in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*_*.db")}:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            mark_process_dead(worker)  # type: ignore[no-untyped-call]


class First:
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


class CostPerSuccess:
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
