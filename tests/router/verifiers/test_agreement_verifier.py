"""Further samples beside the draft."""

from pathlib import Path
from typing import Any

import pytest

from router import contract as contracts
from router.calibration.artifact import Artifact
from router.calibration.maps import Platt
from router.calibration.stored import Certificate, Signal, Stored
from router.errors import ConfigError, EngineFailure
from router.types import Contract, Ruling, Usage
from server.engines.scripted import Reply, ScriptedEngine
from tests.router.verifiers.world import PRICE, TOOLS, World, calls, draft, world

OWN = calls(name="Ann", guests=4)
MESSAGE = '{"message":"I am afraid that I cannot do that for you today."}'
OBJECT = contracts.json_schema({"type": "object"})
ARRAY = contracts.json_schema({"type": "array"})


def agreement(services: World, **options: Any) -> Any:
    return services.verifier("agreement", **{"engines": ["judge"], "price": PRICE, **options})


@pytest.mark.parametrize(
    ("contract", "own", "sample", "expected"),
    [
        (TOOLS, OWN, calls(guests=4.0, name="ann"), Ruling.ACCEPT),
        (TOOLS, OWN, calls(name="Ann", guests=5), Ruling.DEFER),
        (TOOLS, OWN, MESSAGE, Ruling.DEFER),
        (TOOLS, MESSAGE, OWN, Ruling.DEFER),
        (TOOLS, MESSAGE, MESSAGE.replace("today", "now"), Ruling.NOT_APPLICABLE),
        (TOOLS, OWN, "no call at all", Ruling.DEFER),
        (OBJECT, '{"a":1,"b":2}', '{"b":2.0,"a":1}', Ruling.ACCEPT),
        (OBJECT, '{"a":1}', '{"a":2}', Ruling.DEFER),
        (ARRAY, '["one long text that goes on and on","x"]', '["another long text that goes on and on"]', Ruling.DEFER),
        (contracts.choice(["yes", "no"]), "yes", "no", Ruling.DEFER),
        (Contract(), "Paris", "paris.", Ruling.ACCEPT),
        (Contract(), "Paris", "Lyon", Ruling.DEFER),
    ],
)
async def test_samples_are_compared_by_what_they_say(contract: Contract, own: str, sample: str, expected: Ruling) -> None:
    assert (await agreement(world([sample])).judge(draft(own, contract=contract))).ruling is expected


async def test_long_prose_is_not_asked_for_again() -> None:
    services = world(["x"])
    assert (await agreement(services).judge(draft("word " * 40, contract=Contract()))).ruling is Ruling.NOT_APPLICABLE
    assert services.engines["judge"].calls == []


async def test_a_committee_is_asked_as_often_as_configured_and_paid_for() -> None:
    services = world([Reply(OWN, usage=Usage(100, 10))])
    services.engines["other"] = ScriptedEngine("other", [Reply(calls(name="Bob", guests=4), usage=Usage(100, 10))])
    verifier = agreement(services, engines=["judge", "other"], samples=2, likeness=0.8)
    verdict = await verifier.judge(draft(OWN))
    assert (len(services.engines["judge"].calls), len(services.engines["other"].calls)) == (2, 2)
    assert verdict.ruling is Ruling.ACCEPT
    assert verdict.usage == Usage(400, 40)
    assert verdict.cost == pytest.approx((400 * 1 + 40 * 10) / 1e6)


async def test_a_sample_is_drawn_and_not_the_likeliest_again() -> None:
    services = world([OWN])
    await agreement(services, temperature=0.9).judge(draft(OWN))
    assert services.engines["judge"].calls[0].sampling.temperature == 0.9


async def test_an_engine_that_fails_is_unable_and_what_the_others_cost_counts() -> None:
    services = world([OWN])
    services.engines["other"] = ScriptedEngine("other", [Reply(failure=EngineFailure("down"))])
    verdict = await agreement(services, engines=["judge", "other"]).judge(draft(OWN))
    assert (verdict.ruling, verdict.reason) == (Ruling.UNABLE, "engine_error")
    assert verdict.cost > 0


async def test_a_request_that_must_stay_inside_is_not_sampled_outside() -> None:
    services = world([OWN], away=True)
    assert (await agreement(services).judge(draft(OWN, inside_only=True))).reason == "residency"
    assert services.engines["judge"].calls == []


async def test_an_engine_that_cannot_be_held_to_the_contract_is_unable() -> None:
    services = world([OWN])
    services.engines["judge"].supported = frozenset({"none"})
    assert (await agreement(services).judge(draft(OWN))).ruling is Ruling.UNABLE


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"engines": ["nobody"]}, "engines"),
        ({"engines": []}, "engines"),
        ({"band": [0.2, 0.8]}, "band"),
        ({"band": [0.2, 0.8], "calibration": "/nowhere.json"}, "calibration"),
        ({"band": [0.2, 0.8], "calibration": 5}, "calibration"),
        ({"band": [0.8, 0.2], "calibration": "/nowhere.json"}, "band"),
        ({"sample": 2}, "sample"),
    ],
)
def test_a_mistake_in_the_options_is_named(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        agreement(world(), **options)
    assert caught.value.param == f"routes.auto.verifiers.0.{key}"


def artifact(folder: Path, wrong: float) -> str:
    """An artifact that gives every draft with calls the same P(wrong), in log-odds, by a score that needs no evidence."""
    certificate = Certificate(
        "error", "error", 0.05, 0.95, "split", 1, 1, {}, {}, "", "", "small", None, ("tools",), None, False, False, ()
    )
    signal = Signal(Platt(0.0, wrong), None, None, (), {})
    stored = Stored("smallfirst-calibration", 1, certificate, (), (), (), None, None, {"ungrounded": signal})
    path = folder / "auto.json"
    Artifact.of(stored).save(path)
    return str(path)


@pytest.mark.parametrize(("wrong", "asked"), [(0.0, 1), (-5.0, 0), (5.0, 0)])
async def test_only_a_doubtful_draft_is_asked_again(tmp_path: Path, wrong: float, asked: int) -> None:
    services = world([OWN])
    options = {"band": [0.3, 0.7], "calibration": artifact(tmp_path, wrong), "score": "ungrounded"}
    verdict = await agreement(services, **options).judge(draft(OWN, "a table for Ann, 4 guests"))
    assert len(services.engines["judge"].calls) == asked
    assert verdict.ruling is (Ruling.ACCEPT if asked else Ruling.NOT_APPLICABLE)


async def test_a_draft_whose_confidence_is_unknown_counts_as_doubtful(tmp_path: Path) -> None:
    services = world(['{"a":1}'])
    options = {"band": [0.3, 0.7], "calibration": artifact(tmp_path, -5.0), "score": "ungrounded"}
    await agreement(services, **options).judge(draft('{"a":1}', contract=OBJECT))
    assert len(services.engines["judge"].calls) == 1


def test_an_artifact_that_was_read_already_serves_as_well(tmp_path: Path) -> None:
    read = Artifact.load(artifact(tmp_path, 0.0))
    assert agreement(world(), band=[0.3, 0.7], calibration=read, score="ungrounded").artifact is read


def test_a_score_that_the_artifact_has_no_map_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"0\.score"):
        agreement(world(), band=[0.3, 0.7], calibration=artifact(tmp_path, 0.0), score="margin")
