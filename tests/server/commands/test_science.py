"""fit, replay and report from end to end on a small synthetic set."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from router.calibration.artifact import Artifact
from server.__main__ import main

pytest.importorskip("sklearn")
PARAMETERS = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOL = {"type": "function", "function": {"name": "note", "description": "Write a note", "parameters": PARAMETERS}}
KEYS = {
    "n",
    "small",
    "large",
    "oracle",
    "auroc",
    "apgr",
    "cpt50",
    "cpt80",
    "calls95",
    "ece",
    "target",
    "coverage",
    "kept_error",
    "certified",
    "cps",
}


def answer(said: str, correct: float) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "note", "arguments": json.dumps({"text": said})}}
    usage = {"prompt_tokens": 50, "completion_tokens": 10}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"message": message, "finish_reason": "stop", "usage": usage, "seconds": 0.1, "logprobs": None, "correct": correct}


def records(count: int, seed: int) -> list[dict[str, Any]]:
    """Small invents a third of its notes; those are wrong."""
    draw, found = random.Random(seed), []
    for place in range(count):
        word = f"milk{seed}x{place}"
        invented = draw.random() < 0.33
        small = answer("bread and butter" if invented else word, float(not invented and draw.random() < 0.98))
        second = answer(word, 1.0)
        tiers = {"small": small, "large": answer(word, float(draw.random() < 0.95)), "second": second}
        request = {"messages": [{"role": "user", "content": f"note down {word}"}], "tools": [TOOL]}
        found.append({"id": str(place), "group": "ab"[place % 2], "request": request, "tiers": tiers})
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("science")
    for name, count, seed in (("train", 300, 0), ("test", 200, 1)):
        (path / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records(count, seed)))
    fitted = [
        "fit",
        "--data",
        str(path / "train.jsonl"),
        "--out",
        str(path / "new" / "a.json"),
        "--max-error",
        "0.1",
        "--confidence",
        "0.9",
    ]
    assert main(fitted) == 0
    return path


def replayed(folder: Path, *options: str) -> list[str]:
    return ["replay", "--data", str(folder / "test.jsonl"), "--calibration", str(folder / "new" / "a.json"), *options]


def test_fit_writes_an_artifact_with_its_promise(folder: Path) -> None:
    certificate = Artifact.load(folder / "new" / "a.json").certificate
    assert (certificate.max_error, certificate.confidence, certificate.records, certificate.samples) == (0.1, 0.9, 300, False)


def test_replay_prints_the_fixed_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(replayed(folder, "--price", "small=0.02,0.04", "--price", "large=0.6,1.8", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == KEYS | {"promise", "groups"}
    assert set(found["groups"]) == {"a", "b"}
    assert set(found["groups"]["a"]) == KEYS
    assert found["target"] == {"max_error": 0.1, "confidence": 0.9}
    assert found["promise"] == "next"
    assert found["auroc"] > 0.9
    assert found["apgr"] > 0.6
    assert found["certified"]
    assert found["kept_error"] <= 0.1
    assert 0.5 < found["coverage"] < 0.8
    assert found["cps"]["small"] < found["cps"]["cascade"] < found["cps"]["large"]


def page_of(folder: Path, artifact: Path, *options: str) -> str:
    out = folder / "page.html"
    assert main(["report", "--data", str(folder / "test.jsonl"), "--calibration", str(artifact), "--out", str(out), *options]) == 0
    return out.read_text()


def bought(page: str) -> list[float]:
    """The shares of the page's table of what further labels would buy, from none to a thousand more."""
    rows = re.findall(r"<td>(?:the 200 of this page|\d+ more)</td><td>([\d.]+) %</td>", page)
    return [float(share) for share in rows]


def test_the_promise_of_the_rate_keeps_no_less_and_is_told_everywhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rate, following = folder / "rate.json", folder / "new" / "a.json"
    fitted = ["fit", "--data", str(folder / "train.jsonl"), "--out", str(rate), "--max-error", "0.1", "--confidence", "0.9"]
    assert main([*fitted, "--promise", "rate"]) == 0
    assert (Artifact.load(rate).certificate.promise, Artifact.load(following).certificate.promise) == ("rate", "next")
    capsys.readouterr()
    assert main(["replay", "--data", str(folder / "test.jsonl"), "--calibration", str(rate), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(replayed(folder, "--json")) == 0
    other = json.loads(capsys.readouterr().out)
    assert (found["promise"], other["promise"]) == ("rate", "next")
    assert found["coverage"] >= other["coverage"]
    pages = [page_of(folder, artifact) for artifact in (following, rate)]
    target = "at most 10.0% error among the kept, with 90% confidence, counted over"
    assert f"{target} the next requests, as many as were labelled; order by error" in pages[0]
    assert f"{target} all that will ever be kept; order by error" in pages[1]
    ahead, ever = map(bought, pages)
    assert len(ahead) == len(ever) == 5
    assert ahead == sorted(ahead)
    assert all(0.0 <= less <= more <= 100.0 for less, more in zip(ahead, ever, strict=True))
    assert sum(ahead) < sum(ever), "the same labels certify more of the rate"


def test_without_prices_there_is_no_cost(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(replayed(folder, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["cps"] is None


def test_replay_prints_a_table_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(replayed(folder)) == 0
    assert "coverage" in capsys.readouterr().out


def test_report_is_one_page_that_fetches_nothing(folder: Path) -> None:
    out = folder / "report.html"
    assert main(["report", "--data", str(folder / "test.jsonl"), "--calibration", str(folder / "new" / "a.json"), "--out", str(out)]) == 0
    text = out.read_text()
    assert text.count("<svg") == 3
    for part in (
        "k nearest neighbours",
        "matrix factorisation",
        "oracle",
        "contract checks only",
        "perfectly calibrated",
        "would be certified",
        "always large",
    ):
        assert part in text
    assert "http" not in text
    assert "<script" not in text


def test_a_calibration_with_agreement_is_replayed_with_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(folder / "agreed.json")
    assert main(["fit", "--data", str(folder / "train.jsonl"), "--out", out, "--agreement", "--objective", "gain"]) == 0
    given = ["replay", "--data", str(folder / "test.jsonl"), "--calibration", out, "--json"]
    assert main(given) == 2
    assert "--agreement" in capsys.readouterr().err
    assert main([*given, "--agreement"]) == 0
    assert json.loads(capsys.readouterr().out)["auroc"] > 0.9


def test_a_target_of_cost_is_fitted_and_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, prices = str(folder / "cost.json"), ["--price", "small=0.02,0.04", "--price", "large=0.6,1.8"]
    fitted = ["fit", "--data", str(folder / "train.jsonl"), "--out", out, "--max-cost", "0.00003"]
    assert main(fitted) == 2
    assert "price of both tiers" in capsys.readouterr().err
    assert main([*fitted, *prices]) == 0
    assert "nothing is promised of the error" in capsys.readouterr().err
    assert Artifact.load(out).certificate.max_cost == 0.00003
    assert main(["replay", "--data", str(folder / "test.jsonl"), "--calibration", out, "--json", *prices]) == 0
    found = json.loads(capsys.readouterr().out)
    answered = found["small"] * found["coverage"] + found["large"] * (1 - found["coverage"])
    assert found["cps"]["cascade"] * answered < 0.00003
    assert found["coverage"] < 0.8, "money that buys quality is spent"
    assert found["promise"] is None
    page = page_of(folder, Path(out), *prices)
    assert "at most 3e-05 dollars a request in the mean, with 95% confidence; nothing of the error among the kept" in page
    assert "would be certified" not in page
    assert main([*fitted[:-1], "0.0000001", *prices]) == 2
    assert "even with every draft kept" in capsys.readouterr().err


def test_broken_input_ends_the_command_naming_file_and_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = folder / "bad.jsonl"
    bad.write_text((folder / "test.jsonl").read_text().splitlines()[0] + "\n{}\n")
    assert main(["fit", "--data", str(bad), "--out", str(folder / "x.json")]) == 2
    assert "bad.jsonl:2" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "replay", "report"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"example:\n  smallfirst {command}" in capsys.readouterr().out


@pytest.mark.parametrize("price", ["small", "small=1", "small=1,x", "=1,2", "small=-1,2"])
def test_a_price_that_is_none_is_refused(folder: Path, price: str) -> None:
    with pytest.raises(SystemExit):
        main(replayed(folder, "--price", price))


def test_check_warns_where_nothing_is_certified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strict = ["--max-error", "0.0001", "--confidence", "0.99"]
    assert main(["fit", "--data", str(folder / "train.jsonl"), "--out", str(folder / "strict.json"), *strict]) == 0
    assert "pooled: nothing certified, everything escalates" in capsys.readouterr().err
    tiers = ", ".join(f"{{name: {name}, engine: one, price: {{prompt: 1, completion: 1}}}}" for name in ("small", "large"))
    config = folder / "gateway.yaml"
    config.write_text(
        "engines: {one: {kind: scripted, replies: [x]}}\n"
        f"routes: {{auto: {{tiers: [{tiers}], target: {{max_error: 0.0001, confidence: 0.99}},\n"
        "  verifiers: [{kind: contract}, {kind: confidence, calibration: strict.json}]}}\n"
    )
    assert main(["check", "--config", str(config)]) == 0
    told = capsys.readouterr()
    assert "warning: route auto: nothing is certified for at most 0.0001 error at confidence 0.99: every draft escalates" in told.err
    assert "fine" in told.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"request": {"messages": [], "tools": 3}}, "mixed.jsonl:2"),
        ({"tiers": {"small": {"correct": 1.0}}}, "mixed.jsonl:2"),
        ({"tiers": {"small": {"correct": 7}, "large": {"correct": 1}}}, "mixed.jsonl:2"),
        ({"surprise": 1}, "mixed.jsonl:2"),
    ],
    ids=["tools", "a tier is missing", "no rate", "an unknown key"],
)
def test_mixed_input_ends_the_command_naming_file_and_line(
    folder: Path, change: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (folder / "test.jsonl").read_text().splitlines()
    mixed = folder / "mixed.jsonl"
    mixed.write_text("\n".join([lines[0], json.dumps(json.loads(lines[1]) | change), *lines[2:]]) + "\n")
    assert main(["replay", "--data", str(mixed), "--calibration", str(folder / "new" / "a.json"), "--json"]) == 2
    assert said in capsys.readouterr().err


def test_a_record_without_another_answer_is_fitted_and_escalates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for record in records[::10]:
        record["tiers"].pop("second")
    some, out = folder / "some.jsonl", str(folder / "some.json")
    some.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert main(["fit", "--data", str(some), "--out", out, "--agreement", "--max-error", "0.2"]) == 0
    assert f"30 of {len(records)} records have no 'second' answer" in capsys.readouterr().err
    assert main(["replay", "--data", str(some), "--calibration", out, "--agreement", "--json"]) == 0
    assert 0.0 < json.loads(capsys.readouterr().out)["coverage"] <= 0.9
    some.write_text("".join(json.dumps(record) + "\n" for record in records[::10]))
    assert main(["fit", "--data", str(some), "--out", out, "--agreement"]) == 2
    assert "no record has the tier 'second'" in capsys.readouterr().err


def replaced(folder: Path, change: dict[str, object], name: str = "changed.jsonl") -> Path:
    """The test records with the second one changed."""
    lines = (folder / "test.jsonl").read_text().splitlines()
    path = folder / name
    path.write_text("\n".join([lines[0], json.dumps(json.loads(lines[1]) | change), *lines[2:]]) + "\n")
    return path


ASKED = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"request": ASKED | {"structured_outputs": {"choice": 3}}}, "request.structured_outputs.choice: Input should be a valid list"),
        ({"request": ASKED | {"response_format": {"json_schema": "x"}}}, "request.response_format.json_schema: it must be an object"),
        ({"request": ASKED | {"tool_choice": {"function": "x"}}}, "request.tool_choice"),
        ({"label": {"weight": float("inf")}}, "label.weight"),
        ({"label": {"weight": 1e300}}, "label.weight"),
        ({"tiers": {"small": {"correct": 1, "features": {"luck": 1}}, "large": {"correct": 1}}}, "features: 'luck' is not a feature"),
    ],
    ids=["choices", "a form", "a named tool", "endless weight", "huge weight", "an unknown feature"],
)
def test_what_a_record_may_not_say_is_named(folder: Path, change: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--data", str(replaced(folder, change)), "--out", str(folder / "x.json")]) == 2
    assert f"changed.jsonl:2: {said}" in capsys.readouterr().err


def test_the_same_label_twice_is_refused_in_another_file_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = folder / "again.jsonl"
    again.write_text((folder / "train.jsonl").read_text().splitlines()[3] + "\n")
    data = [str(folder / "train.jsonl"), str(again)]
    assert main(["fit", "--data", *data, "--out", str(folder / "x.json")]) == 2
    told = capsys.readouterr().err
    assert "again.jsonl:1: id: '3' is at " in told
    assert "train.jsonl:4 already" in told


def test_feedback_to_the_small_tier_is_enough_for_a_fit_by_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for place, record in enumerate(found):
        answered = "small" if place % 3 else "large"
        record |= {"tiers": {answered: record["tiers"][answered]}, "label": {"source": "feedback"}}
    path, out = folder / "feedback.jsonl", str(folder / "feedback.json")
    path.write_text("".join(json.dumps(record) + "\n" for record in found))
    assert main(["fit", "--data", str(path), "--out", out, "--max-error", "0.2"]) == 0
    assert "100 requests left out: a tier that is asked for did not answer" in capsys.readouterr().err
    assert Artifact.load(out).certificate.sources == {"feedback": 200}
    assert Artifact.load(out).certified()
    assert main(["fit", "--data", str(path), "--out", out, "--objective", "gain"]) == 2
    assert "300 requests left out" in capsys.readouterr().err
    assert main(["replay", "--data", str(path), "--calibration", out]) == 2
    assert "there are no records" in capsys.readouterr().err


def test_one_id_for_two_questions_is_no_matter(folder: Path) -> None:
    data = [str(folder / f"{name}.jsonl") for name in ("train", "test")]
    assert main(["replay", "--data", *data, "--calibration", str(folder / "new" / "a.json")]) == 0


def test_bytes_that_are_no_text_are_refused_naming_the_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = folder / "bytes.jsonl"
    bad.write_bytes((folder / "test.jsonl").read_bytes().splitlines()[0] + b"\n{\xff}\n")
    assert main(["fit", "--data", str(bad), "--out", str(folder / "x.json")]) == 2
    assert "bytes.jsonl:2: not JSON" in capsys.readouterr().err


def test_a_mark_of_the_byte_order_is_passed_over(folder: Path) -> None:
    marked = folder / "marked.jsonl"
    marked.write_bytes(b"\xef\xbb\xbf" + (folder / "test.jsonl").read_bytes())
    assert main(["replay", "--data", str(marked), "--calibration", str(folder / "new" / "a.json")]) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--small", "large"], "--small and --large are the same tier 'large'"),
        (["--score", "luck"], "has no 'luck', only learned"),
        (["--price", "smal=1,1", "--price", "large=1,1"], "no record has the tier 'smal', only large, second, small"),
    ],
)
def test_options_that_the_input_does_not_allow_are_named(
    folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(replayed(folder, *options)) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"), [("--seed", "-1"), ("--price", "small=nan,1"), ("--price", "small=inf,1"), ("--promise", "soon")]
)
def test_values_that_are_none_are_refused(folder: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["fit", "--data", str(folder / "train.jsonl"), "--out", str(folder / "x.json"), option, value])
    assert f"argument {option}" in capsys.readouterr().err


def test_what_cannot_be_written_is_said_before_the_fit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = folder / "train.jsonl"
    before = data.read_text()
    for out in (folder, data, data / "x.json"):
        assert main(["fit", "--data", str(data), "--out", str(out)]) == 2
        told = capsys.readouterr().err
        assert str(out if out != data / "x.json" else data) in told
        assert "fold" not in told.replace(str(folder), "")
    assert data.read_text() == before


def test_records_of_another_kind_are_told_to_be_beyond_the_calibration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"message": {"role": "assistant", "content": "hi"}, "correct": 1}
    path = replaced(folder, {"request": ASKED, "tiers": {"small": told, "large": told}}, "other.jsonl")
    assert main(["replay", "--data", str(path), "--calibration", str(folder / "new" / "a.json")]) == 0
    assert "1 of 200 records cannot be judged by this calibration" in capsys.readouterr().err
