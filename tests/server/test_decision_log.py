"""The decision log goes into fit, replay and report as it is: what the server writes on its standard output is the file that they read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from router.calibration.features import features
from router.evaluation.drafts import Tiers, found
from router.evaluation.records import Record, read
from router.types import Draft, Evidence
from server.__main__ import main
from server.engines.scripted import Reply, confident
from tests.server.harness import TOOLS, World, running

SHADOW = {"mode": "shadow"}
COUNT = 80


def call(minutes: int) -> str:
    return json.dumps({"tool_calls": [{"name": "set_timer", "arguments": {"minutes": minutes}}]}, separators=(",", ":"))


def drafts() -> list[Reply]:
    """Every fourth is wrong, and less sure of itself."""
    return [Reply(text := call(9 if at % 4 == 0 else 5), tokens=confident(text, -1.5 if at % 4 == 0 else -0.05)) for at in range(COUNT)]


async def logged(folder: Path, count: int = COUNT, **changes: Any) -> Path:
    """The log of a gateway that was asked so often, with a line of another event among its own."""
    outcomes = {"url": f"sqlite:///{folder}/o.db"}
    async with running(drafts(), [call(5)], outcomes=outcomes, **changes) as world:
        for number in range(count):
            await world.ask(f"timer number {number} for 5 minutes", tools=TOOLS, tool_choice="required")
        return written(folder, world)


def written(folder: Path, world: World) -> Path:
    path = folder / "log.jsonl"
    path.write_text("\n".join([json.dumps({"event": "energy", "message": "no counter"}), *world.lines]) + "\n")
    return path


def told(log: Path, *options: str) -> Sequence[str]:
    return ["--data", str(log), "--small", "small", "--large", "large", *options]


@pytest.mark.parametrize("content", [False, True])
async def test_the_log_of_a_shadowed_route_is_fitted_and_replayed_as_it_is(
    content: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, artifact = await logged(tmp_path, route=SHADOW, log={"content": content}), str(tmp_path / "a.json")
    assert ("timer number 3" in log.read_text()) is content
    assert main(["fit", *told(log), "--out", artifact, "--max-error", "0.3", "--confidence", "0.5"]) == 0
    assert main(["replay", *told(log), "--calibration", artifact, "--price", "small=1,1", "--price", "large=9,9", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["n"], report["small"], report["large"]) == (COUNT, 0.75, 1.0)
    assert report["auroc"] > 0.9
    assert report["cps"]["large"] > report["cps"]["small"]
    assert main(["report", *told(log), "--calibration", artifact, "--out", str(tmp_path / "r.html")]) == 0


async def test_a_line_gives_the_features_of_the_live_draft_with_and_without_content(tmp_path: Path) -> None:
    (bare, *_), (whole, *_) = [
        list(read([await logged(tmp_path, 1, route=SHADOW, log={"content": content})], ["small", "large"])) for content in (False, True)
    ]
    draft = whole.answers["small"].choice
    assert draft is not None
    live = features(Draft(whole.request, "small", draft), samples=False)
    assert named(bare) == pytest.approx({name: value for name, value in live.items() if value == value}, abs=1e-5)
    assert bare.answers["small"].choice is None
    assert (bare.source, bare.weight, bare.answers["small"].correct, bare.answers["large"].correct) == ("audit", 1.0, 0.0, 1.0)


def named(record: Record) -> dict[str, float]:
    return found(record, Tiers())


async def test_a_shadowed_draft_is_asked_for_the_log_probabilities_that_a_fit_needs(tmp_path: Path) -> None:
    for mode, wanted in (("shadow", True), ("active", False)):
        outcomes = {"url": f"sqlite:///{tmp_path}/{mode}.db"}
        async with running(drafts(), [call(5)], outcomes=outcomes, route={"mode": mode}) as world:
            await world.ask("timer for 5 minutes", tools=TOOLS)
            assert (Evidence.LOGPROBS in world.small.calls[0].evidence) is wanted
            assert not any(Evidence.LOGPROBS in asked.evidence for asked in world.large.calls)


async def test_answers_that_were_kept_have_no_label_and_are_left_out_aloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doubting = {"verifiers": [{"kind": "rule", "expression": "answer.tool_calls[0].arguments.minutes == 5"}]}
    log = await logged(tmp_path, 8, route=doubting)
    assert [record.answers["small"].correct for record in read([log], ["small", "large"])] == [0.0, 0.0]
    assert main(["fit", *told(log), "--out", str(tmp_path / "a.json")]) == 2
    said = capsys.readouterr().err
    assert "6 requests left out: nobody knows how right" in said
    unlabelled = [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "request" and "label" not in line]
    assert all(set(line["tiers"]) == {"small"} and "correct" not in line["tiers"]["small"] for line in unlabelled)


async def test_a_tier_that_did_not_answer_makes_a_line_no_record_of_that_pair(tmp_path: Path) -> None:
    left: list[str] = []
    log = await logged(tmp_path, 4, route=SHADOW)
    assert not list(read([log], ["tiny", "large"], left.append))
    assert left == ["other_tiers"] * 4


async def test_judges_own_words_stay_out_of_a_log_without_content() -> None:
    said = json.dumps({"reason": "Mister Xylophone is meant", "ruling": "defer"})
    judge = {"kind": "judge", "engine": "llm", "rubric": "right", "price": {"prompt": 1, "completion": 1}}
    for content in (False, True):
        async with running([call(5)], [said, call(5)], route={"verifiers": [judge]}, log={"content": content}) as world:
            await world.ask("for Mister Xylophone, timer of 5 minutes", tools=TOOLS, tool_choice="required")
            assert ("Xylophone is meant" in world.lines[0]) is content
            assert world.logged[0]["attempts"][0]["verdicts"][1]["ruling"] == "defer"
