"""A task that a request names holds it to more than its route does: fewer tiers, a stricter target, less to spend; never to less."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.calibration.artifact import Artifact
from router.calibration.maps import Platt
from router.calibration.stored import Signal
from router.calibration.thresholds import Threshold
from router.errors import ConfigError
from router.types import GenerationRequest
from server.access.keys import Key
from server.api.exchange import scoped
from server.engines.scripted import Reply, confident
from tests.router.verifiers.test_confidence_verifier import artifact
from tests.server.harness import error, running, settings, world

EXPLAIN = {"x-smallfirst-explain": "1"}
ASKED = GenerationRequest("r", "auto", ())
SURE, FAIR, UNSURE = (Reply("small says", tokens=confident("small says", logprob)) for logprob in (-0.01, -0.3, -3.0))


def saved(folder: Path, limit: float, max_error: float) -> str:
    """An artifact whose threshold on the least sure token is this one."""
    made = artifact().stored
    signal = Signal(Platt(1.0, 0.0), threshold := Threshold(limit, 500, 400, 1, max_error / 2), threshold, (), {})
    path = folder / f"{max_error}.json"
    Artifact.of(replace(made, certificate=replace(made.certificate, max_error=max_error), signals={"minimum": signal})).save(path)
    return str(path)


def route(folder: Path, **changes: Any) -> dict[str, Any]:
    own = {"kind": "confidence", "score": "minimum", "calibration": saved(folder, 1.0, 0.05)}
    strict = {"max_error": 0.01, "calibration": saved(folder, 0.05, 0.01)}
    tasks = {
        "payments": {"target": "strict"},
        "letters": {"tiers": ["large"]},
        "drafts": {"tiers": ["small"], "budget": {"max_attempts": 1}},
        "secrets": {"residency": "inside"},
    }
    return {"verifiers": [own], "targets": {"strict": strict}, "tasks": tasks} | changes


def named(task: str) -> dict[str, Any]:
    return {"metadata": {"task": task}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("draft", "body", "tier"),
    [
        (SURE, {}, "small"),
        (FAIR, {}, "small"),
        (UNSURE, {}, "large"),
        (SURE, named("payments"), "small"),
        (FAIR, named("payments"), "large"),
        (SURE, named("letters"), "large"),
        (UNSURE, named("drafts"), "small"),
    ],
)
async def test_what_is_kept_depends_on_the_task(tmp_path: Path, draft: Reply, body: Any, tier: str, stream: bool) -> None:
    async with running([draft], ["large says"], route=route(tmp_path)) as made:
        response = await made.ask(stream=stream, **body)
    assert (response.status_code, response.headers["x-smallfirst-tier"]) == (200, tier)


async def test_the_account_names_the_target_that_ruled(tmp_path: Path) -> None:
    async with running([FAIR], ["large says"], route=route(tmp_path)) as made:
        told = (await made.ask(headers=EXPLAIN, **named("payments"))).json()["smallfirst"]
    assert told["decision"]["why"].endswith("held to the target strict")
    assert [verdict["reason"] for verdict in told["attempts"][0]["verdicts"] if verdict["verifier"] == "confidence"] == ["under_threshold"]


async def test_a_tier_outside_is_closed_to_a_task_that_stays_inside(tmp_path: Path) -> None:
    tiers = [
        {"name": "small", "engine": "slm", "price": {"prompt": 1, "completion": 1}},
        {"name": "large", "engine": "llm", "price": {"prompt": 1, "completion": 1}, "location": "outside"},
    ]
    async with running([UNSURE], ["large says"], route=route(tmp_path, tiers=tiers)) as made:
        response = await made.ask(**named("secrets"))
        assert (response.headers["x-smallfirst-deferrals"], made.large.calls) == ("residency", [])


async def test_a_task_that_the_route_does_not_know_is_refused_by_name(tmp_path: Path) -> None:
    async with running(route=route(tmp_path)) as made:
        assert error(await made.ask(**named("payment"))) == (400, "invalid_request_error", "invalid_request", "metadata.task")


async def test_where_a_route_has_no_tasks_the_word_is_the_clients_own() -> None:
    async with running() as made:
        assert (await made.ask(**named("anything"))).status_code == 200


async def test_a_pinned_tier_that_the_task_excludes_is_refused(tmp_path: Path) -> None:
    async with running(route=route(tmp_path)) as made:
        assert error(await made.ask(model="auto/small", **named("letters")))[:3] == (403, "permission_error", "permission_denied")


def test_a_key_and_a_task_together_are_as_strict_as_both(tmp_path: Path) -> None:
    facts = world(route=route(tmp_path)).gateway.parts.names.routes["auto"]
    asked = scoped(ASKED, Key("k", tiers=frozenset({"small", "large"}), target="strict"), facts.targets)
    assert (asked.target, asked.tiers) == ("strict", frozenset({"small", "large"}))
    tasked = replace(ASKED, tiers=frozenset({"large"}), target="strict")
    assert scoped(tasked, Key("k"), facts.targets).target == "strict"
    assert scoped(tasked, Key("k", tiers=frozenset({"small"})), facts.targets).tiers == frozenset()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"tasks": {"a": {"tiers": ["tiny"]}}}, "routes.auto.tasks.a.tiers"),
        ({"tasks": {"a": {"tiers": []}}}, "routes.auto.tasks.a.tiers"),
        ({"tasks": {"a": {"target": "strictest"}}}, "routes.auto.tasks.a.target"),
        ({"targets": {"lax": {"max_error": 0.2, "calibration": "c.json"}}, "tasks": {}}, "routes.auto.targets.lax"),
        ({"targets": {"b": {"max_error": 0.01, "confidence": 0.9, "calibration": "c.json"}}, "tasks": {}}, "routes.auto.targets.b"),
        ({"target": {"max_cost": 0.1}}, "routes.auto.targets"),
        ({"verifiers": []}, "routes.auto.targets"),
    ],
)
def test_what_would_loosen_or_cannot_be_kept_is_refused_at_start(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(route=route(tmp_path, **changes))
    assert caught.value.param == key


def test_a_target_whose_calibration_was_fitted_to_less_is_refused_at_start(tmp_path: Path) -> None:
    strict = {"strict": {"max_error": 0.01, "calibration": saved(tmp_path, 0.5, 0.04)}}
    with pytest.raises(ConfigError, match=r"routes\.auto\.targets\.strict: its calibration was fitted to max_error 0\.04"):
        world(route=route(tmp_path, targets=strict))


KEYS = "keys: {{acme: {{target: strict{routes}}}}}\n"


def test_a_key_whose_target_a_route_has_no_calibration_for_is_refused_at_start(tmp_path: Path) -> None:
    """It names the key and what is missing; a key that may not use such a route needs nothing there."""
    (tmp_path / "keys.yaml").write_text(KEYS.format(routes=""))
    plain = {**settings().model_dump(exclude_unset=True)["routes"]["auto"], "verifiers": [{"kind": "contract"}]}
    both = {
        "routes": {"auto": plain | route(tmp_path), "plain": plain},
        "access": {"keys_file": str(tmp_path / "keys.yaml")},
    }
    with pytest.raises(ConfigError, match=r"keys\.acme\.target: route 'plain' has no calibration .* routes\.plain\.targets\.strict"):
        world(**both)
    (tmp_path / "keys.yaml").write_text(KEYS.format(routes=", routes: [auto]"))
    assert world(**both)


def test_a_target_that_nothing_is_certified_for_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "nothing.json"
    made = Artifact.load(Path(saved(tmp_path, 0.05, 0.01))).stored
    signal = replace(made.signals["minimum"], pooled=None, rest=None)
    Artifact.of(replace(made, signals={"minimum": signal})).save(path)
    lines = world(route=route(tmp_path) | {"targets": {"strict": {"max_error": 0.01, "calibration": str(path)}}}).lines
    assert any("target strict: nothing is certified" in line for line in lines)
