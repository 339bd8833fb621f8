import asyncio
import time
from pathlib import Path

import pytest

from router.calibration.tightened import tightened
from router.calibration.watching import ESCALATE_ALL, Limits, Target
from router.cascade import Cascade
from router.errors import ConfigError
from router.registry import verifiers
from router.route import Route
from router.types import Tier
from server.auditing import Audited
from server.build.parts import each_of
from server.engines.scripted import ScriptedEngine
from server.recording import Kept, Meters, Recording, recording
from server.watcher import Watched
from tests.server.observers.outcomes.made import call, request

TIERS = (Tier("small", "slm"), Tier("large", "llm"))


def gateway(folder: Path, small: str, large: str, labels: list[tuple[str, str, bool]]) -> tuple[Recording, Cascade]:
    engines = {"slm": ScriptedEngine("slm", [small]), "llm": ScriptedEngine("llm", [large])}
    watched = {"auto": Watched(Target(0.2, 0.9), limits=Limits(window=100))}
    meters = Meters(labelled=lambda *label: labels.append(label))
    kept = Kept("sqlite:///state/outcomes.db", folder)
    made = recording(kept, engines, watched, {"auto": Audited(lambda: Route("auto", TIERS, ()), 1.0)}, meters)
    made.auditor.delay, made.watcher.every = 0.0, 0.02
    route = Route("auto", TIERS, tightened((verifiers.build({"kind": "contract"}, "v"),), made.floor("auto")))
    return made, Cascade(route, engines, time.monotonic, each_of(*(one.observe for one in made.observers)))


async def test_a_small_model_that_is_wrong_too_often_loses_the_route(tmp_path: Path) -> None:
    """Answers, audits, labels, the watch and the floor, end to end."""
    labels: list[tuple[str, str, bool]] = []
    made, cascade = gateway(tmp_path, call(5), call(6), labels)
    made.start()
    await asyncio.sleep(0.1)
    tiers = []
    for number in range(400):
        finished = await cascade.run(request(f"r{number}"))
        tiers.append(finished.outcome.kept.tier if finished.outcome.kept else None)
        if tiers[-1] == "large":
            break
        await asyncio.sleep(0.01)
    assert (tiers[0], tiers[-1]) == ("small", "large")
    assert made.watcher.floor("auto") == ESCALATE_ALL
    assert "everything escalates" in made.watcher.detail()["auto"]
    await made.close()
    assert set(labels) == {("auto", "audit", False)}


async def test_feedback_is_taken_and_everything_is_written_at_the_end(tmp_path: Path) -> None:
    labels: list[tuple[str, str, bool]] = []
    made, cascade = gateway(tmp_path, call(5), call(5), labels)
    await cascade.run(request("r"))
    assert await made.take("r", 1.0, None, None)
    assert not await made.take("nobody", 1.0, None, None)
    await made.close()
    assert sorted(labels) == [("auto", "audit", True), ("auto", "feedback", True)]


def test_an_address_that_no_store_has_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"outcomes\.url"):
        recording(Kept("mysql://x", tmp_path), {}, {}, {}, Meters())
