"""The parts of a dashboard as Grafana's JSON: panels with their queries, laid out row by row, and the variables above them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Json = dict[str, object]

SCHEMA = 39
"""The version of Grafana's dashboard model that this is written in; newer servers migrate it."""

WIDTH = 24
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and how its series are named."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `unit` is Grafana's name of it, `width` in 24ths, `steps` are the values at which the colour changes.

    A text that says `Runbook: Alert.` makes a link to that paragraph; one that begins with `Needs` has no data elsewhere.
    """

    title: str
    text: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Literal["timeseries", "stat", "heatmap"] = "timeseries"
    width: int = 8
    stacked: bool = False
    top: float | None = None
    bottom: float | None = 0
    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),)


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side under a heading; `height` is in grid units."""

    title: str
    panels: tuple[Panel, ...]
    height: int = 8


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice above the panels: the values of a metric's label."""

    name: str
    label: str
    text: str
    metric: str


ROUTES = Variable(
    "route", "Route", "Cascades of the configuration; the unnamed one holds refusals that named none", "smallfirst_requests_total"
)


def dashboard(uid: str, title: str, text: str, rows: Sequence[Row], chosen: Sequence[Variable] = (ROUTES,)) -> Json:
    """The whole dashboard."""
    variables = [_variable(one) for one in chosen]
    return {
        "uid": uid,
        "title": title,
        "description": text,
        "tags": ["smallfirst"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "title": "Smallfirst", "tags": ["smallfirst"], "asDropdown": True, "keepTime": True}],
        "templating": {"list": [_datasource(), *variables, _runbooks()]},
        "panels": _laid_out(rows),
    }


def _datasource() -> Json:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(variable: Variable) -> Json:
    query = f"label_values({variable.metric}, {variable.name})"
    return {
        "name": variable.name,
        "label": variable.label,
        "description": variable.text,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": f"{variable.name}s"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _runbooks() -> Json:
    return {
        "name": "runbooks",
        "label": "Runbook at",
        "description": "Where this project's docs/runbook.md is published for you; panels link to its paragraphs",
        "type": "textbox",
        "query": "docs/runbook.md",
        "current": {"text": "docs/runbook.md", "value": "docs/runbook.md"},
    }


def _laid_out(rows: Sequence[Row]) -> list[Json]:
    placed: list[Json] = []
    y = 0
    for row in rows:
        placed.append(_heading(row.title, len(placed) + 1, y))
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y = 0, y + row.height
            placed.append(_panel(panel, len(placed) + 1, {"x": x, "y": y, "w": panel.width, "h": row.height}))
            x += panel.width
        y += row.height
    return placed


def _heading(title: str, number: int, y: int) -> Json:
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}, "panels": []}


def _panel(panel: Panel, number: int, place: Mapping[str, int]) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": dict(place),
        "targets": [_target(query, index, panel.kind) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel.kind),
        "links": [
            {"title": f"Runbook: {name}", "url": f"${{runbooks}}#{name.lower()}", "targetBlank": True}
            for name in re.findall(r"Runbook: (\w+)\.", panel.text)
        ],
    }


def _target(query: Query, index: int, kind: str) -> Json:
    made: Json = {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend or "__auto"}
    return made | ({"format": "heatmap"} if kind == "heatmap" else {})


def _defaults(panel: Panel) -> Json:
    steps = [{"value": value, "color": color} for value, color in panel.steps]
    made: Json = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    made |= {name: value for name, value in (("min", panel.bottom), ("max", panel.top)) if value is not None}
    if panel.kind == "timeseries":
        made["custom"] = {
            "fillOpacity": 40 if panel.stacked else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none"},
        }
    return made


def _options(kind: str) -> Json:
    match kind:
        case "stat":
            reduced: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
            return {"reduceOptions": reduced, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
        case "heatmap":
            return {"calculate": False, "cellGap": 1, "color": {"mode": "scheme", "scheme": "Blues"}, "yAxis": {"axisPlacement": "left"}}
        case _:
            legend: Json = {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["mean", "lastNotNull"]}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
