"""The composition root: what it puts together, and what it refuses by name rather than ignore."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.calibration.maps import Platt
from router.calibration.stored import Certificate, Signal, Stored, dump
from router.errors import ConfigError
from router.types import Price
from server.build import gateway
from server.services import ProcessServices
from tests.server.harness import settings


def built(folder: Path = Path("/nowhere"), **changes: Any) -> Any:
    return gateway(settings(**changes), folder, write=lambda line: None)


def test_a_route_gets_its_tiers_rules_and_budget() -> None:
    route = {"repair": 2, "when_exhausted": "error", "budget": {"max_cost": 0.5, "deadline": 3, "max_attempts": 4}, "mode": "off"}
    parts = built(route=route).parts
    made = parts.cascades["auto"].route
    assert [(tier.name, tier.engine, tier.price) for tier in made.tiers] == [("small", "slm", Price(1, 1)), ("large", "llm", Price(10, 10))]
    assert (made.rules.repair, made.rules.when_exhausted, made.mode) == (2, "error", "off")
    budget = parts.names.routes["auto"].budget
    assert (budget.max_cost, budget.deadline, budget.max_attempts) == (0.5, 3, 4)


def test_a_route_gets_its_hedge_its_reserve_and_its_residency() -> None:
    parts = built(route={"hedge_after": 0.5, "reserve": 1, "residency": "inside", "budget": {"deadline": 3}}).parts
    rules = parts.cascades["auto"].route.rules
    assert (rules.hedge_after, rules.reserve, parts.names.routes["auto"].inside_only) == (0.5, 1, True)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"route": {"mode": "shadow"}}, "routes.auto.mode"),
        ({"route": {"mode": "evaluate"}}, "routes.auto.mode"),
        ({"route": {"commit": "gated"}}, "routes.auto.gate_limit"),
        ({"route": {"commit": "gated", "verifiers": [{"kind": "rule"}]}}, "routes.auto.commit"),
        ({"route": {"audit": 0.5}}, "routes.auto.audit"),
        ({"route": {"reserve": 1}}, "routes.auto.reserve"),
        ({"route": {"reserve": 3, "budget": {"deadline": 3}}}, "routes.auto.reserve"),
        ({"route": {"residency": "outside"}}, "routes.auto.residency"),
        ({"route": {"hedge_after": 0}}, "routes.auto.hedge_after"),
        ({"functions": "no.such.module:registry"}, "functions"),
        ({"functions": "server.assistant:nothing"}, "functions"),
        ({"functions": "router.types:HARD_GATES"}, "functions"),
        ({"route": {"verifiers": [{"kind": "contrct"}]}}, "routes.auto.verifiers.0.kind"),
        ({"route": {"verifiers": [{"kind": "contract"}, {"kind": "function", "typo": 1}]}}, "routes.auto.verifiers.1.typo"),
        ({"route": {"verifiers": [{"kind": "confidence", "calibration": "no.json"}]}}, "routes.auto.verifiers.0.calibration"),
        ({"route": {"verifiers": [{"kind": "function", "registry": "mine"}]}}, "routes.auto.verifiers.0.registry"),
        (
            {"engines": {"slm": {"kind": "embedded", "path": "./no/model"}, "llm": {"kind": "scripted", "replies": ["x"]}}},
            "engines.slm.path",
        ),
        (
            {
                "engines": {
                    "slm": {"kind": "openai", "base_url": "http://127.0.0.1:9", "model": "m", "api_key_env": "NO_SUCH_KEY"},
                    "llm": {"kind": "scripted", "replies": ["x"]},
                }
            },
            None,
        ),
    ],
)
def test_what_cannot_be_served_as_written_is_a_config_error(changes: dict[str, Any], key: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        built(**changes)
    assert "\n" not in caught.value.message
    if key is not None:
        assert caught.value.param == key


def services(**environment: str) -> ProcessServices:
    return ProcessServices({}, frozenset({"llm"}), environment)


def test_components_get_secrets_by_the_name_of_an_environment_variable() -> None:
    assert services(HOOK_KEY="s3").secret("HOOK_KEY") == "s3"
    with pytest.raises(ConfigError, match="HOOK_KEY"):
        services().secret("HOOK_KEY")
    assert "s3" not in repr(services(HOOK_KEY="s3"))


def test_components_are_told_which_engines_are_outside() -> None:
    assert services().outside("llm")
    assert not services().outside("slm")


def test_an_unknown_engine_or_path_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="'nobody'"):
        services().engine("nobody")
    with pytest.raises(ConfigError, match=r"'no\.such:thing'"):
        services().load("no.such:thing")
    assert services().load("router.types:Price") is Price


def artifact(folder: Path, *, max_error: float) -> dict[str, Any]:
    """A verifier whose calibration certifies nothing, but says what it was fitted to."""
    certificate = Certificate(
        objective="error",
        loss="error",
        max_error=max_error,
        confidence=0.95,
        method="split",
        records=1,
        labels=1,
        sources={"gold": 1},
        groups={},
        fingerprint="x",
        created="2026-01-01",
        small="small",
        large="large",
        kinds=("tools",),
        functions=None,
        logprobs=False,
        samples=False,
        warnings=(),
    )
    nothing = Signal(Platt(1.0, 0.0), None, None, (), {})
    stored = Stored("smallfirst-calibration", 1, certificate, (), (), (), None, None, {"margin": nothing})
    (folder / "made.json").write_text(dump(stored))
    return {"kind": "confidence", "score": "margin", "calibration": "made.json"}


def test_a_target_stricter_than_its_calibration_is_refused(tmp_path: Path) -> None:
    verifier = artifact(tmp_path, max_error=0.2)
    with pytest.raises(ConfigError) as caught:
        built(tmp_path, route={"verifiers": [verifier], "target": {"max_error": 0.05}})
    assert caught.value.param == "routes.auto.target"
    assert built(tmp_path, route={"verifiers": [verifier], "target": {"max_error": 0.2}})


def test_a_target_of_cost_needs_a_calibration_of_cost(tmp_path: Path) -> None:
    verifier = artifact(tmp_path, max_error=0.05)
    with pytest.raises(ConfigError) as caught:
        built(tmp_path, route={"verifiers": [verifier], "target": {"max_cost": 0.01}})
    assert caught.value.param == "routes.auto.target.max_cost"


def test_an_operator_is_told_at_start_and_by_readyz_that_nothing_is_certified(tmp_path: Path) -> None:
    lines: list[str] = []
    made = gateway(settings(route={"verifiers": [artifact(tmp_path, max_error=0.05)]}), tmp_path, write=lines.append)
    told = "nothing is certified for at most 0.05 error at confidence 0.95: every draft escalates"
    assert made.parts.watch() == {"auto": told}
    assert [json.loads(line) for line in lines] == [{"event": "calibration", "route": "auto", "message": told}]


def test_a_relative_calibration_starts_at_the_settings_folder_and_is_the_gate_too(tmp_path: Path) -> None:
    route = built(tmp_path, route={"verifiers": [artifact(tmp_path, max_error=0.05)]}).parts.cascades["auto"].route
    assert route.difficulty is not None
    assert [verifier.kind for verifier in route.verifiers] == ["contract", "confidence"], "the form is a gate that nobody has to ask for"
    assert route.verifiers[-1].calibration is route.difficulty
