"""The layering: who may import whom, read from the source itself."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROUTER_MAY = {"numpy", "pydantic", "pydantic_core", "outlines", "llguidance", "jsonschema_rs", "msgspec", "cel", "router"}

LEVELS = [
    {"types", "errors", "compiled"},
    {"ports", "registry", "contract", "functions", "account"},
    {
        "policy",
        "gate",
        "repair",
        "scores",
        "verifiers",
        "calibration",
        "asking",
        "posting",
        "apart",
        "guards",
        "retrieval",
        "loops",
        "limits",
        "schemafirst",
        "ranking",
        "hedging",
        "pace",
    },
    {"verification"},
    {"gated", "early", "events"},
    {"route", "attempting"},
    {"rung"},
    {"opening"},
    {"cascade"},
    {"evaluation"},
]
SIDES = {"api", "access", "engines", "observers"}
FITTING = {"sklearn"}


def imports(path: Path, *, nested: bool = True) -> Iterator[str]:
    """Absolute names of imported modules; without `nested` only those at the top of the file."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if nested else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", files("router"), ids=lambda p: str(p.relative_to(ROOT)))
def test_router_is_a_pure_library(path: Path) -> None:
    for name in imports(path):
        top = name.split(".")[0]
        assert top in ROUTER_MAY or top in sys.stdlib_module_names or top in FITTING, f"{path} imports {name}"
    assert not FITTING & {name.split(".")[0] for name in imports(path, nested=False)}, (
        "fitting libraries are imported inside their function"
    )


@pytest.mark.parametrize("path", files("router"), ids=lambda p: str(p.relative_to(ROOT)))
def test_router_modules_import_downwards_only(path: Path) -> None:
    own = _level(path.relative_to(ROOT / "router").parts[0].removesuffix(".py"))
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "router" and len(parts) > 1:
            assert _level(parts[1]) <= own, f"{path} reaches up to {name}"


@pytest.mark.parametrize("path", files("server"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_sides_of_the_server_do_not_know_each_other(path: Path) -> None:
    side = path.relative_to(ROOT / "server").parts[0]
    if side not in SIDES:
        return
    allowed = {side} | ({"access"} if side == "api" else set())
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "server" and len(parts) > 1 and parts[1] in SIDES:
            assert parts[1] in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("path", files("server"), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_errors_module_knows_status_codes(path: Path) -> None:
    """A status code in a handler would be a second table."""
    if "api" not in path.parts or path.name == "errors.py":
        return
    numbers = {
        node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant) and isinstance(node.value, int)
    }
    assert not numbers & {400, 401, 403, 404, 405, 413, 415, 429, 499, 500, 502, 503, 504}


def _level(name: str) -> int:
    if name == "__init__":
        return 0
    found = [level for level, names in enumerate(LEVELS) if name in names]
    assert found, f"router/{name} has no place in the layering: give it one"
    return found[0]
