"""The accounts of one route as metrics and store have them."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


@dataclass(frozen=True, slots=True)
class Books:
    """From the metrics, keyed by their labels, and from the store, one body a row."""

    requests: dict[str, float]
    attempts: dict[tuple[str, str], float]
    tokens: dict[tuple[str, str], float]
    cost: float
    codes: list[str]
    rows: list[dict[str, Any]]
    row_cost: float

    @property
    def row_attempts(self) -> list[dict[str, Any]]:
        return [attempt for row in self.rows for attempt in row["attempts"]]

    def row_tokens(self, tier: str, kind: str) -> int:
        return sum(attempt["usage"][f"{kind}_tokens"] for attempt in self.row_attempts if attempt["tier"] == tier)


def samples(exposition: str) -> list[Sample]:
    """All samples of a scrape."""
    return [sample for family in text_string_to_metric_families(exposition) for sample in family.samples]


def read(scraped: Iterable[Sample], store: Path, route: str) -> Books:
    """The books of a route."""
    own = [sample for sample in scraped if sample.labels.get("route") == route]

    def summed(name: str, *labels: str) -> dict[Any, float]:
        found: dict[Any, float] = {}
        for sample in own:
            if sample.name == f"smallfirst_{name}_total":
                key = tuple(sample.labels[label] for label in labels) if len(labels) > 1 else sample.labels[labels[0]]
                found[key] = found.get(key, 0) + sample.value
        return found

    with closing(sqlite3.connect(store)) as database:
        rows = database.execute("SELECT code, cost, body FROM outcomes WHERE route = ? ORDER BY id", (route,)).fetchall()
    return Books(
        summed("requests", "code"),
        summed("attempts", "tier", "result"),
        summed("tokens", "tier", "kind"),
        sum(summed("cost_usd", "kind").values()),
        [row[0] for row in rows],
        [json.loads(row[2]) for row in rows],
        sum(row[1] for row in rows),
    )
