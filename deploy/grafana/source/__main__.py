"""Writes every dashboard."""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.grafana.source import engines, overview, router, tenants
from deploy.grafana.source.panels import ROUTES, Json, dashboard

FOLDER = Path(__file__).parents[1]


def dashboards() -> Mapping[str, Json]:
    """Every dashboard by the name of its file; a page's description is its module's."""
    pages = {"overview": (overview, ROUTES), "router": (router, ROUTES), "engines": (engines, ROUTES), "tenants": (tenants, tenants.KEYS)}
    return {
        name: dashboard(f"smallfirst-{name}", f"Smallfirst: {name}", page.__doc__ or "", page.ROWS, (variable,))
        for name, (page, variable) in pages.items()
    }


def text(content: Json) -> str:
    """A dashboard as it is committed."""
    return json.dumps(content, indent=2) + "\n"


if __name__ == "__main__":
    for name, content in dashboards().items():
        (FOLDER / f"{name}.json").write_text(text(content), encoding="utf-8")
