"""Replay records are read strictly, one at a time, and errors name file and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.errors import InvalidRequest
from router.evaluation.records import read

CALL = {"id": "call_0", "type": "function", "function": {"name": "math.power", "arguments": '{"base": 2}'}}
TOOL = {
    "type": "function",
    "function": {"name": "math.power", "description": "Power", "parameters": {"type": "object", "properties": {"base": {}}}},
}


def answer(correct: float = 1.0, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    return {"message": message, "finish_reason": "stop", "usage": None, "seconds": None, "logprobs": None, "correct": correct} | fields


def record(**fields: Any) -> dict[str, Any]:
    request = {"messages": [{"role": "user", "content": "Two to the  power?"}], "tools": [TOOL]}
    return {"id": "1", "group": "g", "request": request, "tiers": {"small": answer(0.0), "large": answer()}} | fields


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in records))
    return path


def test_a_record_becomes_a_request_with_answers_in_the_contracts_own_form(tmp_path: Path) -> None:
    (found,) = read([write(tmp_path / "a.jsonl", record())], ["small", "large"])
    assert found.request.contract.tools[0].name == "math.power"
    choice = found.answers["small"].choice
    assert choice is not None
    assert json.loads(choice.text) == {"tool_calls": [{"name": "math.power", "arguments": {"base": 2}}]}
    assert (found.group, found.answers["small"].correct, found.source, found.weight) == ("g", 0.0, "gold", 1.0)


def test_words_beside_calls_are_read_as_an_engine_gives_them(tmp_path: Path) -> None:
    message = {"role": "assistant", "content": "One moment.", "tool_calls": [CALL]}
    (found,) = read([write(tmp_path / "a.jsonl", record(tiers={"small": answer(message=message), "large": answer()}))], ["small", "large"])
    choice = found.answers["small"].choice
    assert choice is not None
    assert json.loads(choice.text)["content"] == "One moment."


def test_twins_share_a_key(tmp_path: Path) -> None:
    twin = record(id="2", request={"messages": [{"role": "user", "content": "two to the POWER"}]})
    one, other = read([write(tmp_path / "a.jsonl", record(), twin)])
    assert one.key == other.key


def test_log_probabilities_become_tokens(tmp_path: Path) -> None:
    tops = [{"token": "A", "logprob": -0.1, "bytes": None}, {"token": "B", "logprob": -2.4, "bytes": None}]
    logprobs = {"content": [{"token": "A", "logprob": -0.1, "bytes": None, "top_logprobs": tops}]}
    message = {"role": "assistant", "content": "A", "tool_calls": []}
    request = {"messages": [{"role": "user", "content": "which?"}], "structured_outputs": {"choice": ["A", "B"]}}
    given = record(request=request, tiers={"small": answer(message=message, logprobs=logprobs)})
    (found,) = read([write(tmp_path / "a.jsonl", given)])
    choice = found.answers["small"].choice
    assert choice is not None
    assert [other.text for other in choice.tokens[0].top] == ["A", "B"]
    assert found.request.contract.choices == ("A", "B")


def test_features_may_stand_in_place_of_text(tmp_path: Path) -> None:
    bare = {
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        "seconds": 0.1,
        "features": {"words": 3, "calls": None},
        "correct": 1,
    }
    label = {"source": "audit", "weight": 20.0}
    (found,) = read([write(tmp_path / "a.jsonl", {"id": "1", "tiers": {"small": bare}, "label": label})])
    assert found.answers["small"].choice is None
    assert (found.source, found.weight, found.key) == ("audit", 20.0, "1")


def test_more_than_two_tiers_are_fine(tmp_path: Path) -> None:
    tiers = {name: answer() for name in ("tiny", "middle", "huge", "second")}
    (found,) = read([write(tmp_path / "a.jsonl", record(tiers=tiers))], ["tiny", "huge"])
    assert set(found.answers) == set(tiers)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ("{", "not JSON"),
        ("[]", "record"),
        (record(tiers={"small": answer(2.0), "large": answer()}), r"tiers\.small\.correct"),
        (record(surprise=1), "surprise"),
        (record(label={"source": "rumour"}), r"label\.source"),
        (record(label={"weight": 0}), r"label\.weight"),
        (record(tiers={"small": answer()}), "no tier 'large'"),
        (record(tiers={}), "tiers"),
        (record(request=None), "request"),
        (record(request={"messages": []}), r"request\.messages"),
    ],
)
def test_broken_input_is_refused_naming_file_and_line(tmp_path: Path, bad: Any, named: str) -> None:
    path = write(tmp_path / "b.jsonl", record(), bad)
    with pytest.raises(InvalidRequest, match=rf"b\.jsonl:2: .*{named}"):
        list(read([path], ["small", "large"]))


def test_a_file_that_is_named_twice_counts_no_label_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", record())
    with pytest.raises(InvalidRequest, match=r"a\.jsonl:1: id: '1' is at .*a\.jsonl:1 already"):
        list(read([path, path]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"none\.jsonl"):
        list(read([tmp_path / "none.jsonl"]))


def test_records_are_read_one_at_a_time(tmp_path: Path) -> None:
    found = read([write(tmp_path / "a.jsonl", record(), "{")])
    assert next(found).id == "1"
    with pytest.raises(InvalidRequest):
        next(found)


def test_the_documented_record_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "outcomes.md").read_text(encoding="utf-8")
    example = page.split("```json\n", 1)[1].split("```", 1)[0]
    path = tmp_path / "documented.jsonl"
    path.write_text(" ".join(example.split("\n")) + "\n", encoding="utf-8")
    (found,) = read([path], ["small", "second", "large"])
    assert [found.answers[name].correct for name in ("small", "second", "large")] == [1.0, 0.0, 1.0]
    choice = found.answers["small"].choice
    assert choice is not None
    assert choice.tokens[0].raw_logprob == -0.03
