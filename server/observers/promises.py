"""Gauges of what a route promises and of what the watch knows of it; a value that is not known any more shows as NaN."""

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge


class Promises:
    """Set by the elected watcher, but for the floors, which every worker follows, and the thresholds, which are those of the artifact.

    Several workers set the same gauges: what was said last stands.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the gauges."""
        self._registry = registry
        self._bound = self._gauge("kept_error_bound", "The kept error is at most this, at the target's confidence")
        self._target = self._gauge("kept_error_target", "The kept error that the route promises not to pass")
        self._floor = self._gauge("confidence_floor", "The least confidence kept whatever the threshold says; 0 as fitted, over 1 nothing")
        self._calibration = self._gauge("calibration_error", "Live expected calibration error")
        self._drift = self._gauge("drift", "Population stability index of the confidences")
        self._threshold = self._gauge("threshold", "Drafts of the group are kept up to this score; higher is less sure", "group")
        self._told: set[tuple[Gauge, tuple[str, ...]]] = set()

    def kept_error_bound(self, route: str, value: float | None) -> None:
        """A share."""
        self._tell(self._bound, value, route)

    def kept_error_target(self, route: str, value: float) -> None:
        """A share; 1 where the route promises a cost instead."""
        self._tell(self._target, value, route)

    def confidence_floor(self, route: str, value: float) -> None:
        """A confidence."""
        self._tell(self._floor, value, route)

    def calibration_error(self, route: str, value: float | None) -> None:
        """A mean distance of confidences."""
        self._tell(self._calibration, value, route)

    def drift(self, route: str, value: float | None) -> None:
        """An index without a unit."""
        self._tell(self._drift, value, route)

    def thresholds(self, route: str, limits: Mapping[str, float]) -> None:
        """All certified thresholds of the route by group of requests; groups named earlier and not now have none any more."""
        gone = [labels for gauge, labels in self._told if gauge is self._threshold and labels[0] == route and labels[1] not in limits]
        for labels in gone:
            self._tell(self._threshold, None, *labels)
        for group, limit in limits.items():
            self._tell(self._threshold, limit, route, group)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"smallfirst_{name}", text, ("route", *labels), registry=self._registry, multiprocess_mode="mostrecent")

    def _tell(self, gauge: Gauge, value: float | None, *labels: str) -> None:
        """What was never known has no series."""
        if value is None and (gauge, labels) not in self._told:
            return
        self._told.add((gauge, labels))
        gauge.labels(*labels).set(math.nan if value is None else value)
