"""docs/verifiers.md says what there is: every kind, every option, and examples that can be built."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.registry import guards, verifiers
from server.engines.scripted import ScriptedEngine
from tests.router.verifiers.world import World

PAGE = (Path(__file__).parents[3] / "docs" / "verifiers.md").read_text(encoding="utf-8")
INJECTED = {"services", "registry"}
ROWS = {cells[1].strip(" `"): cells[3] for line in PAGE.splitlines() if (cells := line.split("|"))[1:2] and cells[1].startswith(" `")}
BLOCKS: list[Any] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
EXAMPLES: dict[str, dict[str, Any]] = {block[0]["kind"]: block[0] for block in BLOCKS if isinstance(block, list)}


def services() -> World:
    return World(
        {name: ScriptedEngine(name) for name in ("slm", "llm")},
        secrets={"JUDGE_KEY": "x", "DLP_KEY": "y"},
        objects={"shop.judges:sensible": lambda draft: True},
    )


def options(kind: str) -> set[str]:
    return {field.name for field in dataclasses.fields(verifiers._kinds[kind]) if field.init} - INJECTED


def test_every_kind_has_a_row_and_an_example() -> None:
    assert set(verifiers.kinds()) == ROWS.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("kind", sorted(ROWS))
def test_the_row_names_every_option_and_no_other(kind: str) -> None:
    verifiers.kinds()
    assert set(re.findall(r"`(\w+)`", ROWS[kind])) == options(kind)


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_the_example_shows_every_option(kind: str) -> None:
    verifiers.kinds()
    assert EXAMPLES[kind].keys() - {"kind"} == options(kind)


@pytest.mark.parametrize("kind", sorted(EXAMPLES.keys() - {"confidence", "agreement"}))
def test_the_example_can_be_built(kind: str) -> None:
    built = verifiers.build(EXAMPLES[kind], "example", services=services(), registry=None)
    assert built.kind == kind


def test_the_example_of_agreement_can_be_built_without_its_band() -> None:
    rest = {name: value for name, value in EXAMPLES["agreement"].items() if name not in ("band", "calibration")}
    assert verifiers.build(rest, "example", services=services()).kind == "agreement"


def test_the_guard_of_prompts_can_be_built() -> None:
    (given,) = next(block for block in BLOCKS if isinstance(block, dict) and "guards" in block)["guards"]
    assert guards.build(given, "example", services=services()).kind == "prompt"


def test_only_contract_function_and_guard_are_hard_gates() -> None:
    from router.types import HARD_GATES

    assert {"contract", "function", "guard"} == HARD_GATES
