"""Labelled drafts as the fit sees them: features, raw scores and labels, no text."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.calibration.features import look
from router.ports import Score
from router.types import Draft, Evidence

FEWEST = 50
"""Labels under which nothing is fitted."""


@dataclass(frozen=True, slots=True)
class Label:
    """What became of a draft: how right the small and the large answer were (0 to 1), and where that is known from.

    `costs` are the dollars of both answers, where known.
    """

    small: float
    large: float | None = None
    group: str = ""
    key: str = ""
    source: str = "gold"
    weight: float = 1.0
    costs: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled draft; records with one `key` ask the same question and are never parted between folds."""

    label: Label
    found: Mapping[str, float]
    grams: Sequence[str]
    raw: Mapping[str, float]
    kind: str
    functions: tuple[str, ...]
    logprobs: bool
    samples: bool

    @property
    def wrong(self) -> bool:
        return self.label.small < 0.5

    @property
    def regret(self) -> bool:
        """Whether keeping the small answer loses what the large one had right."""
        return self.wrong and self.label.large is not None and self.label.large >= 0.5


def example(draft: Draft, label: Label, scores: Mapping[str, Score], *, agreement: bool = False) -> Example:
    """A labelled draft; without `agreement` its samples are not looked at."""
    usable = {name: score for name, score in scores.items() if agreement or Evidence.SAMPLES not in score.needs}
    raw = {name: value for name, score in usable.items() if (value := score.measure(draft)) is not None}
    seen = look(draft, samples=agreement)
    return Example(
        label,
        seen.found,
        seen.words,
        raw,
        draft.request.contract.kind,
        tuple(tool.name for tool in draft.request.contract.tools),
        any(token.logprob is not None for token in draft.choice.tokens),
        agreement and bool(draft.samples),
    )


def fingerprint(examples: Sequence[Example]) -> str:
    """A digest of features and labels, whatever their order: which data a certificate rests on."""
    rows = sorted(json.dumps([sorted(one.found.items()), one.label.small, one.label.large, one.label.weight]) for one in examples)
    return "sha256:" + hashlib.sha256("\n".join(rows).encode()).hexdigest()
