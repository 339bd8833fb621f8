"""Every value set gives manifests that several versions of Kubernetes take, and a configuration that the gateway takes."""

import json
import os
import subprocess
from pathlib import Path

import helm_python
import kubernetes_validate
import pytest
import yaml
from rendering import ALL, CHART, named, render
from shapes import SHAPES, problems

VERSIONS = ("1.25", "1.28", "1.31", "1.34", "1.37")
ROOT = CHART.parent
PYTHON = os.environ.get("SMALLFIRST_PYTHON", str(ROOT / ".venv" / "bin" / "python"))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ALL)
def test_manifests_are_valid(name: str, version: str) -> None:
    for found in named(name).objects:
        if found["kind"] not in SHAPES:
            kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("name", ALL)
def test_objects_of_other_controllers_have_their_shape(name: str) -> None:
    for found in named(name).objects:
        if found["kind"] in SHAPES:
            assert problems(found) == []


@pytest.mark.parametrize("name", ALL)
def test_strict_lint_finds_nothing(name: str) -> None:
    found = helm_python.lint(CHART, dict(ALL[name]), strict=True)
    assert not found["errors"]
    assert [message for message in found["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("name", ALL)
def test_names_are_unique_and_short_enough(name: str) -> None:
    objects = render(ALL[name], name="a-release-with-a-rather-long-name-of-its-own").objects
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(names) == len(set(names))
    assert all(len(label) <= 63 for _, label in names)


def test_the_gateway_takes_every_configuration(tmp_path: Path) -> None:
    (tmp_path / "calibration").symlink_to(ROOT / "deploy" / "config" / "calibration")
    keys = tmp_path / "keys"
    keys.write_text("keys: {}\n")
    for name in ALL:
        text = yaml.safe_dump(named(name).config).replace("/etc/smallfirst-keys/keys.yaml", str(keys))
        (tmp_path / f"{name}.yaml").write_text(text.replace("sqlite:////var/lib/smallfirst", f"sqlite:///{tmp_path}"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REMOTE_API_KEY": "k", "PGPASSWORD": "p", "REDIS_URL": "redis://127.0.0.1:1/0"}
    told = subprocess.run(
        [PYTHON, str(CHART / "tests" / "checking.py"), str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout.splitlines()[-1]) == {}


def test_the_package_holds_the_rules_and_dashboards_and_no_tests(tmp_path: Path) -> None:
    archive = helm_python.package(CHART, destination=str(tmp_path))
    with helm_python.Chart.load(archive) as chart:
        names = {found["name"] for found in chart.files}
        rules = next(found["data"] for found in chart.files if found["name"] == "files/rules.yml")
    dashboards = {f"files/dashboards/{path.name}" for path in (ROOT / "deploy" / "grafana").glob("*.json")}
    assert names >= {"files/rules.yml", "files/alerts.yml", "README.md", *dashboards}
    assert not [name for name in names if name.startswith(("tests/", "examples/"))]
    assert rules == (ROOT / "deploy" / "prometheus" / "rules.yml").read_text()
