"""Every feature of drafts as they come keeps its recorded value: artifacts in use were fitted on it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from router.calibration.features import answered_grams, features, look
from router.types import Draft
from tests.router.calibration.drafts import drafts

RECORDED = json.loads((Path(__file__).parent / "features.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("draft", "recorded"), list(zip(drafts(), RECORDED, strict=True)))
def test_the_features_of_a_draft_keep_their_values(draft: Draft, recorded: dict[str, Any]) -> None:
    found = features(draft)
    assert found.keys() == recorded["features"].keys()
    for name, value in recorded["features"].items():
        assert found[name] == pytest.approx(math.nan if value is None else value, rel=1e-7, abs=1e-7, nan_ok=True), name
    assert len(answered_grams(draft)) == recorded["words"]


@pytest.mark.parametrize("draft", list(drafts()))
def test_one_look_finds_what_features_and_words_say_apart(draft: Draft) -> None:
    seen = look(draft, samples=False)
    assert seen.found.keys() == features(draft, samples=False).keys()
    assert seen.words == answered_grams(draft)
