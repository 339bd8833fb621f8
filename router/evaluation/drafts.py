"""Records as the calibration sees them: the same code path as live drafts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.calibration.agreement import AGREEMENT_FEATURES
from router.calibration.asked import KINDS, request_features
from router.calibration.examples import Example, Label, example
from router.calibration.features import LOGPROB_FEATURES, answered_grams, features, grams
from router.evaluation.records import Answer, Record
from router.ports import Score
from router.types import Draft, Price

SECOND = "second"


@dataclass(frozen=True, slots=True)
class Tiers:
    """Which recorded tiers play small and large, and whether the second cheap answer is looked at."""

    small: str = "small"
    large: str = "large"
    agreement: bool = False


def draft(record: Record, tiers: Tiers) -> Draft | None:
    """The small tier's answer as a draft; `None` where its text was not kept."""
    choice = record.answers[tiers.small].choice
    if choice is None:
        return None
    second = record.answers.get(SECOND) if tiers.agreement else None
    samples = () if second is None or second.choice is None else (second.choice,)
    return Draft(record.request, tiers.small, choice, samples)


def found(record: Record, tiers: Tiers) -> dict[str, float]:
    """Named features of the small tier's answer: from its text, or as recorded, or of the request alone."""
    recorded = record.answers[tiers.small].features
    if recorded is not None:
        return _recorded(record, recorded, tiers)
    one = draft(record, tiers)
    return request_features(record.request) if one is None else features(one, samples=tiers.agreement)


def _recorded(record: Record, given: Mapping[str, float], tiers: Tiers) -> dict[str, float]:
    own = request_features(record.request) if record.request.messages else {}
    known = {name: value for name, value in given.items() if value == value}
    return own | {name: value for name, value in known.items() if tiers.agreement or name not in AGREEMENT_FEATURES}


def words(record: Record, tiers: Tiers) -> Sequence[str]:
    """The words of the request and beside the answer, as far as their text was kept."""
    one = draft(record, tiers)
    return grams(record.request) if one is None else answered_grams(one)


def costs(record: Record, tiers: Tiers, prices: Mapping[str, Price]) -> tuple[float, float] | None:
    """Dollars of the small and the large answer, where prices and usages are known; agreement adds its own answer to the small one's."""
    if not {tiers.small, tiers.large} <= prices.keys():
        return None
    drafted = [tiers.small, *([SECOND] if tiers.agreement and SECOND in record.answers else [])]
    small = [_dollars(record, tier, prices.get(tier, prices[tiers.small])) for tier in drafted]
    large = _dollars(record, tiers.large, prices[tiers.large])
    known = [cost for cost in small if cost is not None]
    return None if large is None or len(known) < len(small) else (math.fsum(known), large)


def _dollars(record: Record, tier: str, price: Price) -> float | None:
    answer = record.answers.get(tier)
    return None if answer is None or answer.usage is None else price.of(answer.usage)


def label(record: Record, tiers: Tiers, prices: Mapping[str, Price] | None = None) -> Label:
    """How right both tiers were, and at what cost."""
    large: Answer | None = record.answers.get(tiers.large)
    right = None if large is None else large.correct
    spent = costs(record, tiers, prices or {})
    return Label(record.answers[tiers.small].correct, right, record.group, record.key, record.source, record.weight, spent)


def examples(
    records: Sequence[Record], tiers: Tiers, scores: Mapping[str, Score], prices: Mapping[str, Price] | None = None
) -> list[Example]:
    """What a fit is made of."""
    return [_example(record, tiers, scores, label(record, tiers, prices)) for record in records]


def _example(record: Record, tiers: Tiers, scores: Mapping[str, Score], known_label: Label) -> Example:
    one = draft(record, tiers)
    if one is not None and record.answers[tiers.small].features is None:
        return example(one, known_label, scores, agreement=tiers.agreement)
    known = found(record, tiers)
    names = tuple(tool.name for tool in record.request.contract.tools)
    sampled = bool(known.keys() & set(AGREEMENT_FEATURES))
    confident = bool(known.keys() & LOGPROB_FEATURES)
    return Example(known_label, known, words(record, tiers), {}, _kind(record, known), names, confident, sampled)


def _kind(record: Record, known: Mapping[str, float]) -> str:
    """The contract's kind; of a record without its request, the feature that holds it."""
    place = int(known.get("kind", 0.0))
    return record.request.contract.kind if record.request.messages or not 0 <= place < len(KINDS) else KINDS[place]
