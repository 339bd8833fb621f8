"""The dashboards and rules use only what the gateway counts, and the dashboards are what their source says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.source.__main__ import dashboards, text
from router.errors import ConfigError, Overloaded
from server.api.errors import TABLE
from tests.deploy.exposition import busy, families
from tests.deploy.promql import uses

ROOT = Path(__file__).parents[2]
GRAFANA, PROMETHEUS = ROOT / "deploy" / "grafana", ROOT / "deploy" / "prometheus"
OF_PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate"}}
OF_VLLM = {
    "vllm:num_requests_running": {"model_name", "engine"},
    "vllm:num_requests_waiting": {"model_name", "engine"},
    "vllm:kv_cache_usage_perc": {"model_name", "engine"},
    "vllm:prefix_cache_hits_total": {"model_name", "engine"},
    "vllm:prefix_cache_queries_total": {"model_name", "engine"},
    "vllm:generation_tokens_total": {"model_name", "engine"},
    "vllm:time_to_first_token_seconds_bucket": {"model_name", "engine", "le"},
    "vllm:num_preemptions_total": {"model_name", "engine"},
}
OF_DCGM = {name: {"gpu", "UUID"} for name in ("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED")}
FOREIGN = OF_PROMETHEUS | OF_VLLM | OF_DCGM
FILES = sorted(GRAFANA.glob("*.json"))


def documents(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def rules(file: str) -> list[dict[str, Any]]:
    return [rule for group in documents(PROMETHEUS / file)["groups"] for rule in group["rules"]]


def counted() -> dict[str, set[str]]:
    """Every series that can be asked for, with its labels: the gateway's, Prometheus' own, the recorded ones."""
    own = families(busy().exposition().decode())
    recorded = {rule["record"]: set(rule["record"].split(":")[0].split("_")) - {"smallfirst"} for rule in rules("rules.yml")}
    return own | FOREIGN | recorded


def panels(path: Path) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    for path in FILES:
        for panel in panels(path):
            yield from ((f"{path.stem}: {panel['title']}", target["expr"]) for target in panel["targets"])
    for file in ("rules.yml", "alerts.yml"):
        yield from ((f"{file}: {rule.get('record') or rule['alert']}", rule["expr"]) for rule in rules(file))


@pytest.mark.parametrize(
    ("where", "expression"), [pytest.param(*found, id=f"{index} {found[0]}") for index, found in enumerate(expressions())]
)
def test_an_expression_uses_only_metrics_and_labels_that_there_are(where: str, expression: str) -> None:
    known, used = counted(), uses(expression)
    assert used.metrics, where
    assert used.metrics <= known.keys(), f"{where}: {used.metrics - known.keys()}"
    everywhere = {"job", "instance"}
    for metric, label in used.matched:
        assert label in known[metric] | everywhere, f"{where}: {metric} has no label {label}"
    labels = set[str]().union(*(known[metric] for metric in used.metrics)) | everywhere
    assert used.grouped <= labels, f"{where}: {used.grouped - labels}"


def test_every_metric_of_the_gateway_is_shown_or_recorded() -> None:
    shown = {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        for _, found in expressions()
        for name in uses(found).metrics
    }
    own = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in families(busy().exposition().decode())}
    in_one_process_only = {"smallfirst_cost_per_success_usd"}
    assert {name for name in own if not name.endswith("_created")} - in_one_process_only <= shown


def test_the_committed_dashboards_are_what_their_source_writes() -> None:
    assert {path.stem: path.read_text() for path in FILES} == {name: text(content) for name, content in dashboards().items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dashboard_is_complete(path: Path) -> None:
    found = json.loads(path.read_text())
    assert found["uid"] == f"smallfirst-{path.stem}"
    assert found["description"]
    chosen = "key" if path.stem == "tenants" else "route"
    assert [variable["name"] for variable in found["templating"]["list"]] == ["datasource", chosen, "runbooks"]
    ids = [panel["id"] for panel in found["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels(path):
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len(panel["targets"]) == 1 or all(target["legendFormat"] != "__auto" for target in panel["targets"]), panel["title"]


def test_a_panel_links_to_the_paragraph_of_the_runbook_that_its_text_names() -> None:
    alerts = {rule["alert"] for rule in rules("alerts.yml")}
    linked = {link["title"].removeprefix("Runbook: "): link["url"] for path in FILES for panel in panels(path) for link in panel["links"]}
    assert linked.keys() <= alerts
    assert all(url == f"${{runbooks}}#{name.lower()}" for name, url in linked.items())
    assert len(linked) >= 10


def test_a_panel_that_needs_what_not_everyone_has_says_so() -> None:
    """The live check leaves exactly these out."""
    elsewhere = OF_VLLM.keys() | OF_DCGM.keys()
    for path in FILES:
        for panel in panels(path):
            foreign = any(uses(target["expr"]).metrics & elsewhere for target in panel["targets"])
            assert panel["description"].startswith("Needs ") == foreign, panel["title"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(path.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_rule_and_every_alert_has_a_unit_test() -> None:
    tests = (PROMETHEUS / "tests" / "rules.yml").read_text()
    assert [rule["record"] for rule in rules("rules.yml") if rule["record"] not in tests] == []
    tried = {
        case["alertname"]
        for test in documents(PROMETHEUS / "tests" / "alerts.yml")["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert {rule["alert"] for rule in rules("alerts.yml")} == tried


def test_every_fault_of_the_serving_side_counts_as_an_error() -> None:
    """429 where the gateway or an engine has no room; what limits of a key refuse is the client's."""
    faults = {kind.code for kind, told in TABLE.items() if told.status >= 500 and kind is not ConfigError} | {Overloaded.code}
    (rule,) = [rule for rule in rules("rules.yml") if rule["record"] == "route:smallfirst_request_errors:ratio_rate5m"]
    (codes,) = re.findall(r'code=~"([\w|]+)"', rule["expr"])
    assert set(codes.split("|")) == faults


def test_every_alert_has_its_paragraph_in_the_runbook_and_links_to_it() -> None:
    headings = [line.removeprefix("## ") for line in (ROOT / "docs" / "runbook.md").read_text().splitlines() if line.startswith("## ")]
    alerts = {rule["alert"]: rule["annotations"]["runbook"] for rule in rules("alerts.yml")}
    assert set(headings) == set(alerts)
    assert all(link == f"docs/runbook.md#{name.lower()}" for name, link in alerts.items())
