"""Prometheus metrics: fixed names, closed sets of labels, one registry an application."""

from server.observers.metrics.families import MULTIPROCESS
from server.observers.metrics.observing import Metrics

__all__ = ["MULTIPROCESS", "Metrics"]
