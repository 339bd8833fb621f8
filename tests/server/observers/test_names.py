"""What clients, dashboards and checks rely on: the names of metrics and their labels; every metric there is stands in the docs."""

import re
from pathlib import Path

from tests.deploy.exposition import busy, families

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
FIXED = {
    "requests_total": "route tier code",
    "request_seconds": "route path",
    "first_token_seconds": "route",
    "attempt_seconds": "route tier",
    "attempts_total": "route tier result",
    "deferrals_total": "route tier reason",
    "verdicts_total": "route tier verifier ruling",
    "schema_checks_total": "route tier valid",
    "tool_calls_total": "route tier executable",
    "tokens_total": "route tier kind",
    "cost_usd_total": "route tier kind",
    "tasks_total": "route success",
    "labels_total": "route source success",
    "cost_per_success_usd": "route by",
    "energy_joules_total": "tier method",
    "energy_joules": "route method",
    "confidence": "route tier",
    "calibration_error": "route",
    "kept_error_bound": "route",
    "drift": "route",
    "engine_up": "engine",
    "inflight": "route",
    "overhead_seconds": "",
}


def exposed() -> dict[str, set[str]]:
    """The labels of every metric by its name without the common beginning; of a histogram once."""
    found: dict[str, set[str]] = {}
    for name, labels in families(busy().exposition().decode()).items():
        if not name.endswith("_created"):
            plain = re.sub("_(bucket|sum|count)$", "", name).removeprefix("smallfirst_")
            found.setdefault(plain, set()).update(labels - {"le"})
    return found


def documented() -> dict[str, set[str]]:
    """The same from the table of the docs."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([\w, ]*)\|", DOCS.read_text(), re.MULTILINE)
    return {name: set(re.findall(r"\w+", labels)) for names, labels in rows for name in re.findall(r"`(\w+)`", names)}


def test_the_fixed_names_are_exported_with_their_labels() -> None:
    found = exposed()
    assert {name: found.get(name) for name in FIXED} == {name: set(labels.split()) for name, labels in FIXED.items()}


def test_every_metric_stands_in_the_docs_with_its_labels_and_no_other_does() -> None:
    assert documented() == exposed()
