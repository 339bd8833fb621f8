"""What the chart's files promise without Helm: `deploy/verify/run.sh chart` renders it."""

import copy
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from helm.table import filled, rows

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm"
TEXT = (CHART / "values.yaml").read_text()
VALUES: dict[str, Any] = yaml.safe_load(TEXT)
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
OPEN = {"affinity", "config", "podSecurityContext", "securityContext", "speculative"}
"""Passed on as they are, to Kubernetes, to vLLM or to the gateway, which check them."""


def followed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference stands for; of a choice the arm that is a mapping."""
    if "$ref" in schema:
        return followed(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "oneOf" in schema:
        return next((found for arm in schema["oneOf"] if (found := followed(arm)).get("type") == "object"), schema)
    return schema


def unchecked(values: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Paths that the schema says nothing of, and mappings that take any key."""
    schema = followed(schema)
    if not isinstance(values, dict):
        if not {"type", "enum", "const", "oneOf"} & set(schema):
            yield path
        return
    if path.rpartition(".")[2] in OPEN:
        return
    rest = schema.get("additionalProperties", True)
    if rest is True and path != "route":
        yield f"{path}.*"
    for key, value in values.items():
        below = schema.get("properties", {}).get(key, rest)
        if not isinstance(below, dict):
            yield f"{path}.{key}".lstrip(".")
        else:
            yield from unchecked(value, below, f"{path}.{key}".lstrip("."))


def merged(base: Any, over: Any) -> Any:
    """As Helm does it: mappings key by key, null takes away, the rest replaces."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return copy.deepcopy(over)
    joined = {key: merged(base.get(key), value) for key, value in over.items() if value is not None}
    return {key: value for key, value in base.items() if key not in over} | joined


def test_no_value_lacks_a_schema() -> None:
    assert list(unchecked(VALUES, SCHEMA)) == []


def test_a_value_without_a_schema_would_be_found() -> None:
    assert list(unchecked({**VALUES, "image": {**VALUES["image"], "flavour": 1}}, SCHEMA)) == ["image.flavour"]


def test_the_schema_is_one_and_takes_the_defaults() -> None:
    jsonschema_rs.meta.validate(SCHEMA)
    jsonschema_rs.validate(SCHEMA, VALUES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_keeps_the_schema(path: Path) -> None:
    jsonschema_rs.validate(SCHEMA, merged(VALUES, yaml.safe_load(path.read_text())))


@pytest.mark.parametrize("values", [{"replicas": 2}, {"autoscaling": {"kind": "hpa"}}, {"autoscaling": {"kind": "keda"}}])
def test_more_than_one_replica_needs_postgresql(values: dict[str, Any]) -> None:
    store = {"kind": "postgresql", "postgresql": {"host": "db", "passwordSecret": {"name": "s"}}}
    for kind in ("none", "sqlite"):
        with pytest.raises(jsonschema_rs.ValidationError, match="postgresql"):
            jsonschema_rs.validate(SCHEMA, merged(VALUES, {**values, "store": {"kind": kind}}))
    jsonschema_rs.validate(SCHEMA, merged(VALUES, {**values, "store": store}))


def test_the_table_of_values_is_that_of_the_file() -> None:
    """`python helm/table.py --write` makes it again."""
    readme = (CHART / "README.md").read_text()
    assert filled(readme, TEXT) == readme


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def test_the_table_has_every_value() -> None:
    """One that is written on its mapping's line stands in that one's row."""
    told = {tuple(path.split(".")) for path, default, _ in rows(TEXT) if default}
    assert [path for path in leaves(VALUES) if not any(path[:length] in told for length in range(1, len(path) + 1))] == []


def test_rules_and_dashboards_are_those_of_the_repository() -> None:
    for name in ("rules.yml", "alerts.yml"):
        assert (CHART / "files" / name).resolve() == ROOT / "deploy" / "prometheus" / name
    assert (CHART / "files" / "dashboards").resolve() == ROOT / "deploy" / "grafana"


def test_chart_image_and_project_have_one_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert f"ARG VERSION={version}" in (ROOT / "Dockerfile").read_text()
    assert f"smallfirst:{version}}}" in (ROOT / "deploy" / "compose.yaml").read_text()


def test_the_model_server_is_the_same_in_compose_and_chart() -> None:
    image = VALUES["vllm"]["image"]
    assert f"${{VLLM_IMAGE:-{image['repository']}:{image['tag']}}}" in (ROOT / "deploy" / "compose.yaml").read_text()


def test_a_comment_beside_a_mapping_is_its_description() -> None:
    text = "store: # where things are kept\n  kind: none # none, or\n  # over two\n  # lines\n  days: 90\n"
    assert list(rows(text)) == [
        ("store", "", "where things are kept"),
        ("store.kind", "none", "none, or"),
        ("store.days", "90", "over two lines"),
    ]
