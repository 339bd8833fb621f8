import json
import math
from pathlib import Path

import pytest

from router import contract
from router.calibration.family import family
from router.calibration.features import features
from router.errors import ConfigError
from router.evaluation.records import read
from router.types import Contract, Draft
from server.__main__ import main
from server.observers.outcomes.encoding import Encoder
from server.observers.outcomes.export import records
from server.observers.outcomes.ports import Feedback
from tests.server.observers.outcomes.made import (
    SECRET,
    TOOLS,
    attempt,
    call,
    climbed,
    database,
    kept_small,
    label,
    outcome,
    recorder,
    request,
)


def exported(folder: Path) -> list[str]:
    out = folder / "out.jsonl"
    assert main(["outcomes", "export", "--url", f"sqlite:///{folder}/state/outcomes.db", "--out", str(out)]) == 0
    return out.read_text().splitlines()


def recorded(folder: Path, *, content: bool) -> None:
    made = recorder(database(folder), content=content)
    made.observe(*climbed("climbed"))
    made.observe(*kept_small("kept"))
    made.close()
    store = database(folder)
    store.write([Feedback("kept", 0.25, 1001.0)])
    store.close()


def test_without_content_no_word_of_the_client_or_a_model_is_stored(tmp_path: Path) -> None:
    recorded(tmp_path, content=False)
    for path in (tmp_path / "state").iterdir():
        assert SECRET.encode() not in path.read_bytes()
        assert b"set_timer" not in path.read_bytes()


def test_without_content_the_features_of_the_live_draft_stand_in_place_of_text(tmp_path: Path) -> None:
    recorded(tmp_path, content=False)
    exported(tmp_path)
    climb, kept = read([tmp_path / "out.jsonl"])
    asked, done = climbed("climbed")
    generation = done.attempts[0].generation
    assert generation is not None
    live = {name: value for name, value in features(Draft(asked, "small", generation.choices[0])).items() if math.isfinite(value)}
    assert climb.answers["small"].features == pytest.approx(live, abs=1e-5)
    assert climb.answers["small"].choice is None
    assert (climb.answers["small"].correct, climb.answers["large"].correct) == (0.0, 1.0)
    assert (climb.source, climb.weight, climb.group) == ("audit", 1.0, family(asked))
    assert (kept.source, set(kept.answers), kept.answers["small"].correct) == ("feedback", {"small"}, 0.25)


def test_with_content_the_record_gives_the_live_draft_back(tmp_path: Path) -> None:
    recorded(tmp_path, content=True)
    exported(tmp_path)
    climb = next(iter(read([tmp_path / "out.jsonl"])))
    asked, done = climbed("climbed")
    generation, choice = done.attempts[0].generation, climb.answers["small"].choice
    assert generation is not None
    assert choice is not None
    assert choice.text == generation.choices[0].text
    assert choice.tokens == generation.choices[0].tokens
    live, replayed = (features(Draft(one, "small", said)) for one, said in ((asked, generation.choices[0]), (climb.request, choice)))
    assert {name for name in live if replayed.get(name) != pytest.approx(live[name], nan_ok=True)} <= {"violations"}


def test_an_audit_brings_the_second_answer_with_it(tmp_path: Path) -> None:
    store = database(tmp_path)
    detail = json.dumps({"usage": {"prompt_tokens": 1, "completion_tokens": 2}, "seconds": 0.5, "finish_reason": "stop"})
    store.write([Encoder().row(*kept_small("a"), 1.0), label("a", 0.0, detail=detail)])
    (record,) = records(store)
    assert record["label"] == {"source": "audit", "weight": 100.0}
    assert record["tiers"]["large"] == {
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        "seconds": 0.5,
        "finish_reason": "stop",
        "correct": 1.0,
    }
    assert record["tiers"]["small"]["correct"] == 0.0
    store.close()


def test_feedback_goes_before_an_audit_unless_a_source_is_asked_for(tmp_path: Path) -> None:
    store = database(tmp_path)
    store.write([Encoder().row(*kept_small("a"), 1.0), label("a", 0.0), Feedback("a", 1.0, 2.0)])
    assert [one["label"]["source"] for one in records(store)] == ["feedback"]
    assert [one["label"]["source"] for one in records(store, "audit")] == ["audit"]
    store.close()


def test_outcomes_without_a_label_are_no_records(tmp_path: Path) -> None:
    store = database(tmp_path)
    store.write([Encoder().row(*kept_small("a"), 1.0)])
    assert list(records(store)) == []
    store.close()


def test_a_route_without_a_labelled_outcome_is_named_and_no_file_is_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(tmp_path, content=False)
    out = tmp_path / "out.jsonl"
    export = ["outcomes", "export", "--url", f"sqlite:///{tmp_path}/state/outcomes.db", "--out", str(out)]
    assert main([*export, "--route", "atuo"]) == 2
    assert capsys.readouterr().err == "smallfirst: outcomes export: the store has no labelled outcome of route 'atuo'\n"
    assert main([*export, "--route", "auto", "--source", "gold"]) == 2
    assert "of route 'auto' and source 'gold'" in capsys.readouterr().err
    assert not out.exists()
    assert main([*export, "--route", "auto"]) == 0
    assert len(out.read_text().splitlines()) == 2


def test_a_store_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outcomes", "export", "--url", f"sqlite:///{tmp_path}/none.db", "--out", str(tmp_path / "out")]) == 2
    assert "there is no store" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "form",
    [
        contract.text(),
        contract.json_object(),
        contract.json_schema({"type": "object", "properties": {"a": {"type": "integer"}}}, "n"),
        contract.choice(["yes", "no"]),
        contract.regex("[a-z]+"),
    ],
)
def test_every_form_of_contract_can_be_stored_and_read_again(form: Contract, tmp_path: Path) -> None:
    asked = request("a", form)
    done = outcome(attempt("small", '{"a": 1}' if "json" in form.kind else "yes"), response_id="a")
    store = database(tmp_path)
    store.write([Encoder(content=True).row(asked, done, 1.0), label("a")])
    out = tmp_path / "out.jsonl"
    out.write_text("".join(json.dumps(one) + "\n" for one in records(store)))
    (record,) = read([out])
    choice = record.answers["small"].choice
    assert choice is not None
    assert choice.text == done.attempts[0].generation.choices[0].text  # type: ignore[union-attr]
    store.close()


def test_the_family_is_the_clients_group_or_the_schema_and_never_the_prompt() -> None:
    from dataclasses import replace

    asked = request()
    assert family(asked) == family(replace(asked, messages=()))
    assert family(asked).startswith("tools:")
    assert family(request(form=contract.text())) == "none"
    assert family(replace(asked, metadata=(("group", "weather\x00"),))) == "weather"
    assert TOOLS.text not in family(asked)
    assert call(5) not in family(asked)


def test_the_command_needs_a_file_to_write(tmp_path: Path) -> None:
    recorded(tmp_path, content=False)
    with pytest.raises(SystemExit):
        main(["outcomes", "export"])
    assert main(["outcomes", "export", "--url", f"sqlite:///{tmp_path}/state/outcomes.db", "--out", str(tmp_path / "no" / "out")]) == 2
    assert ConfigError.code == "config_error"


def test_a_form_beside_tools_is_recorded_and_read_back(tmp_path: Path) -> None:
    form = contract.tools(TOOLS.tools, form=contract.json_object())
    made = recorder(database(tmp_path), content=True)
    made.observe(request("a", form), outcome(attempt("small", '{"message":{"minutes":5}}'), response_id="a"))
    made.close()
    store = database(tmp_path)
    store.write([Feedback("a", 1.0, 2.0)])
    store.close()
    exported(tmp_path)
    (found,) = read([tmp_path / "out.jsonl"])
    choice = found.answers["small"].choice
    assert choice is not None
    assert json.loads(choice.text) == {"message": {"minutes": 5}}
    assert (found.request.contract.form or Contract()).kind == "json_object"
