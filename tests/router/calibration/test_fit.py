"""From labelled drafts to an artifact that judges them, as JSON that cannot execute anything."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from router.calibration.artifact import LEARNED, Artifact
from router.calibration.asked import request_features
from router.calibration.drift import drift
from router.calibration.examples import Example, Label, example
from router.calibration.features import grams
from router.calibration.fit import fit
from router.calibration.options import Options
from router.calibration.stored import dump
from router.contract import tools
from router.errors import ConfigError, InvalidRequest
from router.registry import scores
from router.types import Choice, Contract, Draft, Evidence, GenerationRequest, Message, Part, Token, Tool

pytest.importorskip("sklearn")
TOOLS = tuple(
    Tool(name, {"type": "object", "properties": {"value": {"type": "string"}}, "required": ["value"]}, name) for name in ("note", "call")
)
CONTRACT = tools(TOOLS)
RAW = {kind: scores.build({"kind": kind}, "scores") for kind in ("minimum", "margin", "agreement")}


def draft(word: str, said: str, sureness: float, *, contract: Contract = CONTRACT, group: str = "g") -> Draft:
    request = GenerationRequest(
        "r", "auto", (Message("user", (Part("text", f"please note the {word} today"),)),), contract, metadata=(("group", group),)
    )
    text = json.dumps({"tool_calls": [{"name": "note", "arguments": {"value": said}}]}, separators=(",", ":"))
    return Draft(request, "small", Choice(text, "stop", (Token("note", np.log(sureness), free=True),)))


def labelled(count: int, seed: int = 0) -> list[Example]:
    """Invented values and doubtful tokens are mostly wrong, others mostly right; the large tier is right nine times in ten."""
    generator, found = np.random.default_rng(seed), []
    for place in range(count):
        invented, sureness = generator.random() < 0.35, float(generator.uniform(0.3, 1.0))
        wrong = generator.random() < (0.9 if invented else 0.02 + 0.5 * (sureness < 0.45))
        word = f"word{place % (count // 2)}"
        one = draft(word, "something else" if invented else word, sureness)
        found.append(example(one, Label(float(not wrong), float(generator.random() < 0.9), "g", word), RAW))
    return found


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return fit(labelled(400), Options(max_error=0.1, confidence=0.9))


SURE, UNSURE = draft("milk", "milk", 0.97), draft("milk", "whatever comes", 0.4)


def test_a_sure_draft_is_kept_and_an_unsure_one_is_not(artifact: Artifact) -> None:
    kept, deferred = artifact.judge(SURE), artifact.judge(UNSURE)
    assert kept is not None
    assert deferred is not None
    assert kept.keep
    assert not deferred.keep
    assert kept.confidence > 0.85 > deferred.confidence


def test_the_promise_holds_on_fresh_records(artifact: Artifact) -> None:
    fresh = labelled(2000, seed=1)
    judged = [artifact.rate(one.found, one.grams, "g") for one in fresh]
    kept = [one.wrong for one, found in zip(fresh, judged, strict=True) if found.keep]
    assert len(kept) > 800
    assert np.mean(kept) <= 0.1


def test_every_raw_score_that_was_measured_has_its_own_map_and_threshold(artifact: Artifact) -> None:
    assert set(artifact.stored.signals) == {LEARNED, "minimum", "margin"} - {"margin"}
    judged = artifact.judge(SURE, "minimum")
    assert judged is not None
    assert judged.score == pytest.approx(-np.log(0.97))


def test_missing_evidence_and_uncovered_cases_have_no_confidence(artifact: Artifact) -> None:
    bare = replace(SURE, choice=replace(SURE.choice, tokens=()))
    assert artifact.confidence(bare) is None
    prose = replace(SURE, request=replace(SURE.request, contract=Contract()))
    assert artifact.confidence(prose) is None
    foreign = replace(CONTRACT, text="u", tools=(*TOOLS, Tool("launch", {})))
    assert artifact.confidence(replace(SURE, request=replace(SURE.request, contract=foreign))) is None


def test_the_artifact_asks_for_the_evidence_it_was_fitted_with(artifact: Artifact) -> None:
    assert artifact.needs() == Evidence.LOGPROBS


def test_an_artifact_reads_back_as_it_was_written(artifact: Artifact, tmp_path: Path) -> None:
    artifact.save(tmp_path / "a.json")
    again = Artifact.load(tmp_path / "a.json")
    assert again.stored == artifact.stored
    assert again.confidence(SURE) == artifact.confidence(SURE)


def test_fitting_twice_gives_the_same(artifact: Artifact) -> None:
    again = fit(labelled(400), Options(max_error=0.1, confidence=0.9))
    assert again.stored.parts == artifact.stored.parts
    assert again.certificate.fingerprint == artifact.certificate.fingerprint


def test_the_certificate_says_what_it_rests_on(artifact: Artifact) -> None:
    certificate = artifact.certificate
    assert (certificate.records, certificate.sources, certificate.method) == (400, {"gold": 400}, "crossfit")
    assert certificate.functions == ("call", "note")
    assert certificate.fingerprint.startswith("sha256:")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "pickle"}, "not a calibration artifact"),
        ({"surprise": 1}, "surprise"),
        ({"features": ["record_id"]}, "record_id"),
        ({"hopeless_below": "x"}, "hopeless_below"),
    ],
)
def test_what_is_unknown_is_refused_by_name(artifact: Artifact, tmp_path: Path, change: dict[str, object], named: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(json.loads(dump(artifact.stored)) | change))
    with pytest.raises(ConfigError, match=named):
        Artifact.load(path)


def test_a_file_that_is_not_there_or_not_json_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json"):
        Artifact.load(tmp_path / "none.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ConfigError):
        Artifact.load(tmp_path / "a.json")


def test_where_nothing_certifies_everything_escalates_and_the_operator_is_told() -> None:
    generator = np.random.default_rng(0)
    noise = [replace(one, label=replace(one.label, small=float(generator.random() < 0.5))) for one in labelled(200)]
    found = fit(noise, Options())
    judged = found.judge(SURE)
    assert judged is not None
    assert not judged.keep
    assert not found.certified()
    assert any("nothing certifies" in warning for warning in found.certificate.warnings)
    assert "every draft escalates" in found.notices()[0]


def test_the_reference_is_that_of_the_drafts_tested_and_names_only_the_gateways_own_families(artifact: Artifact) -> None:
    reference = artifact.stored.signals[LEARNED].reference
    assert reference is not None
    assert (reference.size, reference.families) == (400, ())
    fresh = labelled(1000, seed=2)
    live = [artifact.rate(one.found, one.grams, "g").confidence for one in fresh]
    near = drift(reference, live)
    far = drift(reference, [value / 2 for value in live])
    assert near is not None
    assert far is not None
    assert near.p_value > 0.01, "the reference is that of held-out drafts"
    assert far.psi > 0.25
    assert far.p_value < 0.01
    audited = [replace(one, label=replace(one.label, source="audit")) for one in labelled(60)]
    own = fit(audited, Options(max_error=0.1, confidence=0.9)).stored.signals[LEARNED].reference
    assert own is not None
    assert own.families == ("g",)


def test_groups_with_labels_enough_have_their_own_threshold_and_the_others_share_one() -> None:
    def grouped(examples: Sequence[Example]) -> list[Example]:
        return [replace(one, label=replace(one.label, group="big" if place < 320 else "tiny")) for place, one in enumerate(examples)]

    found = fit(grouped(labelled(400)), Options(max_error=0.1, confidence=0.9))
    signal = found.stored.signals[LEARNED]
    assert set(signal.groups) == {"big"}
    assert signal.pooled_groups == ("tiny",)
    assert any("tiny" in warning for warning in found.certificate.warnings)
    assert found.rate(labelled(10)[0].found, (), "big").group == "big"
    assert found.rate(labelled(10)[0].found, (), "tiny").group == "rest"
    assert found.rate(labelled(10)[0].found, (), "new").group == "pooled"


@pytest.mark.parametrize("questions", [1, 4])
def test_records_that_ask_too_few_questions_to_part_them_are_refused(questions: int) -> None:
    asked = [replace(one, label=replace(one.label, key=f"q{place % questions}")) for place, one in enumerate(labelled(100))]
    with pytest.raises(InvalidRequest, match=f"{questions} different questions"):
        fit(asked, Options())


def test_too_few_labels_and_a_gain_without_pairs_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="too few"):
        fit(labelled(20), Options())
    alone = [replace(one, label=replace(one.label, large=None)) for one in labelled(100)]
    with pytest.raises(InvalidRequest, match="large"):
        fit(alone, Options(objective="gain"))


def test_the_gain_defers_first_where_only_the_large_tier_is_right() -> None:
    found = fit(labelled(300), Options(objective="gain", max_error=0.2, confidence=0.8))
    kept, deferred = found.judge(SURE), found.judge(UNSURE)
    assert kept is not None
    assert deferred is not None
    assert kept.order < deferred.order


def test_labels_that_are_all_alike_fit_a_constant() -> None:
    right = [replace(one, label=replace(one.label, small=1.0)) for one in labelled(150)]
    found = fit(right, Options())
    judged = found.judge(UNSURE)
    assert judged is not None
    assert judged.keep
    assert judged.confidence > 0.95


def test_a_request_on_which_small_never_succeeds_is_hopeless() -> None:
    def asking(text: str) -> GenerationRequest:
        return GenerationRequest("r", "auto", (Message("user", (Part("text", text),)),), CONTRACT)

    hard, easy = asking("derivative integral"), asking("shopping list")
    found = []
    for place, one in enumerate(labelled(400)):
        label = replace(one.label, small=float(place % 2), key=str(place))
        asked = easy if place % 2 else hard
        found.append(replace(one, found=dict(one.found) | request_features(asked), grams=grams(asked), label=label))
    fitted = fit(found, Options(max_error=0.02, confidence=0.8))
    assert fitted.stored.hopeless_below is not None
    assert fitted.hopeless(hard)
    assert not fitted.hopeless(easy)
    assert not fitted.hopeless(replace(hard, contract=Contract()))


def test_all_trees_of_a_fit_have_the_one_size_that_was_chosen_and_said(artifact: Artifact) -> None:
    said: list[str] = []
    again = fit(labelled(400), Options(max_error=0.1, confidence=0.9), said.append)
    assert again.stored.choice == artifact.stored.choice
    assert again.stored.choice is not None
    size = again.stored.choice.size
    assert {len(part.trees) for part in again.stored.parts} == {size.trees}
    assert max(len(tree.values) for part in again.stored.parts for tree in part.trees) <= max(size.randomised, size.boosted)
    assert len(again.stored.parts) == (2 if size.boosted else 1)
    (line,) = (line for line in said if line.startswith("trees: "))
    assert line.startswith(f"trees: {size.trees}x{size.randomised}")
