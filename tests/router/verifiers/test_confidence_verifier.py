"""The confidence verifier keeps what the threshold keeps, and abstains where it cannot know."""

from dataclasses import replace
from pathlib import Path

import pytest

from router.calibration.artifact import Artifact
from router.calibration.maps import Platt
from router.calibration.stored import Certificate, Ensemble, Signal, Stored
from router.calibration.thresholds import Threshold
from router.calibration.trees import Tree
from router.errors import ConfigError
from router.registry import verifiers
from router.types import Choice, Contract, Draft, GenerationRequest, Message, Part, Ruling, Token
from router.verifiers.confidence import ConfidenceVerifier

LIMIT = Threshold(0.0, 500, 400, 4, 0.03)
TREE = Tree(features=(0,), thresholds=(-1.0,), missing_left=(False,), left=(-1,), right=(-2,), values=(2.0, -2.0))
STUMP = Ensemble((TREE,), 0.0, mean=False)
FITTED = ("error", "error", 0.05, 0.95, "split", 900, 500, {"gold": 900}, {}, "sha256:0", "2025-01-01", "small", None)
CERTIFICATE = Certificate(*FITTED, kinds=("none",), functions=None, logprobs=True, samples=False, warnings=())


def artifact(threshold: Threshold | None = LIMIT) -> Artifact:
    signals = {name: Signal(Platt(1.0, 0.0), threshold, threshold, (), {}) for name in ("learned", "minimum")}
    return Artifact.of(Stored("smallfirst-calibration", 1, CERTIFICATE, ("logprob_min",), (STUMP,), (), None, None, signals))


def draft(*logprobs: float) -> Draft:
    request = GenerationRequest("r", "auto", (Message("user", (Part("text", "hi"),)),))
    return Draft(request, "small", Choice("hello", "stop", tuple(Token("hello", logprob) for logprob in logprobs)))


async def test_a_sure_draft_is_accepted_with_its_confidence() -> None:
    verdict = await ConfidenceVerifier(artifact()).judge(draft(-0.1))
    assert verdict.ruling is Ruling.ACCEPT
    assert verdict.confidence == pytest.approx(0.8808, abs=1e-3)


async def test_an_unsure_draft_defers() -> None:
    verdict = await ConfidenceVerifier(artifact()).judge(draft(-3.0))
    assert (verdict.ruling, verdict.reason) == (Ruling.DEFER, "under_threshold")
    assert verdict.confidence == pytest.approx(0.1192, abs=1e-3)


async def test_without_a_certified_threshold_everything_defers_and_says_so() -> None:
    verdict = await ConfidenceVerifier(artifact(None)).judge(draft(-0.1))
    assert (verdict.ruling, verdict.reason) == (Ruling.DEFER, "not_certified")


async def test_missing_evidence_is_unable_and_never_a_default_confidence() -> None:
    verdict = await ConfidenceVerifier(artifact()).judge(draft())
    assert (verdict.ruling, verdict.reason, verdict.confidence) == (Ruling.UNABLE, "evidence_missing", None)


async def test_a_form_of_answer_without_labels_is_unable() -> None:
    given = draft(-0.1)
    other = replace(given, request=replace(given.request, contract=Contract("json_object", "{}", {})))
    verdict = await ConfidenceVerifier(artifact()).judge(other)
    assert (verdict.ruling, verdict.reason) == (Ruling.UNABLE, "not_covered")


async def test_a_raw_score_is_held_to_its_own_threshold() -> None:
    verdict = await ConfidenceVerifier(artifact(), "minimum").judge(draft(-0.5))
    assert verdict.ruling is Ruling.DEFER
    assert verdict.score == pytest.approx(0.5)


def test_a_score_that_the_artifact_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="margin"):
        ConfidenceVerifier(artifact(), "margin")


def test_it_is_built_from_options_with_a_path_or_an_artifact(tmp_path: Path) -> None:
    artifact().save(tmp_path / "a.json")
    for given in (str(tmp_path / "a.json"), artifact()):
        built = verifiers.build({"kind": "confidence", "score": "minimum", "calibration": given}, "verifiers[0]")
        assert built.artifact.stored == artifact().stored
    with pytest.raises(ConfigError, match="calibration"):
        verifiers.build({"kind": "confidence"}, "verifiers[0]")
    with pytest.raises(ConfigError, match=r"none\.json"):
        verifiers.build({"kind": "confidence", "calibration": str(tmp_path / "none.json")}, "verifiers[0]")
