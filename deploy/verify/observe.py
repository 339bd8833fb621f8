"""Asks a live Prometheus: does every panel and variable have data, are the rules healthy, do these alerts fire, have these queries data.

python deploy/verify/observe.py panels --prometheus http://127.0.0.1:9090 --patience 180
python deploy/verify/observe.py firing --prometheus http://127.0.0.1:9090 --patience 420 SmallfirstDown
python deploy/verify/observe.py data --prometheus http://127.0.0.1:9090 'up{instance="gateway:8080"} == 1'
"""

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

DASHBOARDS = Path(__file__).parents[1] / "grafana"
FILLED = {"$__rate_interval": "1m", "$route": ".*", "$key": ".*"}
"""What Grafana would put for its own variables at a scrape interval of 15 s, and for all routes and keys."""

ELSEWHERE = "Needs "
"""How the description of a panel begins that has no data without a GPU or a model server."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The HTTP API of one server."""

    client: httpx.Client

    def values(self, expression: str) -> list[float]:
        """The values of an instant query, those that are not a number left out; raises ValueError where it is refused."""
        found = self._get("/api/v1/query", {"query": expression})["result"]
        return [value for sample in found if not math.isnan(value := float(sample["value"][1]))]

    def labels(self, metric: str, label: str) -> list[str]:
        """The values of a label of a metric."""
        return list(self._get(f"/api/v1/label/{label}/values", {"match[]": metric}))

    def unhealthy(self) -> list[str]:
        """Rules that could not be evaluated, and why."""
        groups = self._get("/api/v1/rules", {})["groups"]
        return [f"{rule['name']}: {rule.get('lastError')}" for group in groups for rule in group["rules"] if rule["health"] == "err"]

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self._get("/api/v1/alerts", {})["alerts"] if alert["state"] == "firing"}

    def _get(self, path: str, query: dict[str, str]) -> Any:
        body = self.client.get(path, params=query).json()
        if body["status"] != "success":
            raise ValueError(body["error"])
        return body["data"]


def filled(expression: str) -> str:
    """The expression as Grafana would send it."""
    for variable, value in FILLED.items():
        expression = expression.replace(variable, value)
    return expression


def empty(server: Prometheus, without: Collection[str], rare: Collection[str]) -> list[str]:
    """Panels and variables without data, rules that fail, metrics of `without` that are there all the same.

    Queries on metrics whose names begin as in `without` or `rare` need only be understood.
    """
    spared = (*without, *rare)
    shown = [f"{name}: said not to be there" for name in without if server.values(f'{{__name__=~".*{name}.*"}} != 0')]
    return [where for path in sorted(DASHBOARDS.glob("*.json")) for where in _empty(server, path, spared)] + server.unhealthy() + shown


def elsewhere() -> list[str]:
    """Panels whose queries were only understood."""
    found = [(path.stem, panel) for path in sorted(DASHBOARDS.glob("*.json")) for panel in json.loads(path.read_text())["panels"]]
    return [f"{name}: {panel['title']}" for name, panel in found if panel.get("description", "").startswith(ELSEWHERE)]


def _empty(server: Prometheus, path: Path, without: Collection[str]) -> Iterator[str]:
    content = json.loads(path.read_text())
    for panel in content["panels"]:
        for target in panel.get("targets", []):
            found = server.values(filled(target["expr"]))
            if not found and not panel["description"].startswith(ELSEWHERE) and not any(metric in target["expr"] for metric in without):
                yield f"{path.stem}: {panel['title']}: {target['expr']}"
    for variable in content["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
            if not server.labels(metric, label) and not metric.startswith(tuple(without)):
                yield f"{path.stem}: variable {variable['name']}"


def waited(missing: Callable[[], list[str]], patience: float, pause: float = 3.0) -> list[str]:
    """What was missing each time, until nothing is left or `patience` seconds are over.

    A busy machine's Prometheus may answer late: it is asked again, and raises httpx.TransportError where it never answered.
    """
    end, left, asked = time.monotonic() + patience, [""], False
    while left:
        try:
            now = missing()
        except httpx.TransportError:
            if time.monotonic() >= end and not asked:
                raise
        else:
            left, asked = [one for one in now if not asked or one in left], True
        if time.monotonic() >= end:
            break
        time.sleep(pause if left else 0)
    return left


def main() -> int:
    """0 if nothing is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("panels", "firing", "data"))
    parser.add_argument("wanted", nargs="*", help="alerts, or queries")
    parser.add_argument("--prometheus", required=True)
    parser.add_argument("--patience", type=float, default=180.0, help="seconds")
    parser.add_argument(
        "--without", action="append", default=[], metavar="METRIC", help="never shown by what is served: it must not be there"
    )
    parser.add_argument("--rare", action="append", default=[], metavar="METRIC", help="may take longer than this to show")
    given = parser.parse_intermixed_args()
    with httpx.Client(base_url=given.prometheus, timeout=10) as client:
        server = Prometheus(client)
        asked: dict[str, Callable[[], list[str]]] = {
            "panels": lambda: empty(server, given.without, given.rare),
            "firing": lambda: sorted(set(given.wanted) - server.firing()),
            "data": lambda: [query for query in given.wanted if not server.values(query)],
        }
        found = asked[given.what]
        left = waited(found, given.patience)
    left_out = f"; absent as they should be: {', '.join(given.without)}" if given.without else ""
    if given.what == "panels":
        print(f"understood, but without data here: {', '.join(elsewhere())}")
    print(f"{given.what}: complete{left_out}" if not left else "\n".join([f"{given.what}: missing", *left]))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
