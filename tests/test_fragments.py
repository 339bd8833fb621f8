"""Every piece of configuration in the docs can be pasted: it stands on two engines and two tiers and needs nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.config import checked

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FRAGMENT = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
PRICE = {"prompt": 1, "completion": 1}
LARGE = {"name": "large", "engine": "llm", "price": PRICE}


def fragments() -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in FRAGMENT.finditer(text):
            line = text.count("\n", 0, found.start()) + 2
            yield pytest.param(yaml.safe_load(found[1]), id=f"{page.name}:{line}")


def placed(fragment: Any) -> dict[str, Any]:
    """Its top-level keys: a list is of verifiers, tiers and guards are those of a route, of tiers the large one stands last."""
    if isinstance(fragment, list):
        return {"routes": {"auto": {"verifiers": fragment}}}
    if "tiers" in fragment:
        return {"routes": {"auto": {**fragment, "tiers": [*fragment["tiers"], LARGE]}}}
    return {"routes": {"auto": fragment}} if "guards" in fragment else fragment


@pytest.mark.parametrize("fragment", [*fragments()])
def test_a_piece_of_configuration_can_be_pasted(fragment: Any) -> None:
    given = placed(fragment)
    tiers = [{"name": "small", "engine": "slm", "price": PRICE}, LARGE]
    engines = {name: {"kind": "scripted", "replies": ["-"]} for name in ("slm", "llm")} | given.get("engines", {})
    routes = {name: {"tiers": tiers} | route for name, route in {"auto": {}, **given.get("routes", {})}.items()}
    assert checked({**given, "engines": engines, "routes": routes}).routes
