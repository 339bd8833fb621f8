"""The cascade over recorded answers: what a calibration would have kept, at what quality and cost."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from router.calibration.artifact import LEARNED, Artifact, Judgement
from router.calibration.thresholds import Promise
from router.errors import InvalidRequest
from router.evaluation.drafts import Tiers, costs, draft, found, words
from router.evaluation.measures import apgr, auroc, calls_for, cpt, ece, quality_curve
from router.evaluation.records import Record
from router.types import Price

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
UNJUDGED = 1e9


class Target(TypedDict):
    """What was promised."""

    max_error: float
    confidence: float


class CostPerSuccess(TypedDict):
    """Dollars of all attempts over the number of right answers; `None` where nothing was right."""

    small: float | None
    large: float | None
    cascade: float | None


class Summary(TypedDict):
    """The measures of one group of records; rates are 0 to 1."""

    n: int
    small: float
    large: float
    oracle: float
    auroc: float | None
    apgr: float | None
    cpt50: float | None
    cpt80: float | None
    calls95: float | None
    ece: float | None
    target: Target
    coverage: float
    kept_error: float | None
    certified: bool
    cps: CostPerSuccess | None


class Report(Summary):
    """The whole replay, and each group by itself.

    `promise` says what the error among the kept was certified for: the `next` requests or the `rate`; `None` where a cost was.
    """

    promise: Promise | None
    groups: dict[str, Summary]


@dataclass(frozen=True, slots=True)
class Costs:
    """Dollars of each record's small and large answer."""

    small: Floats
    large: Floats


@dataclass(frozen=True, slots=True)
class Replay:
    """Records as arrays: quality of both tiers, P(correct) (NaN where it could not be judged), deferral order, what was kept and tried."""

    groups: NDArray[np.str_]
    keys: NDArray[np.str_]
    small: Floats
    large: Floats
    confidence: Floats
    score: Floats
    order: Floats
    kept: Bools
    certified: Bools
    tried: Bools
    costs: Costs | None
    target: Target
    promise: Promise | None = None

    @property
    def wrong(self) -> Bools:
        return self.small < 0.5


def replay(
    records: Iterable[Record],
    artifact: Artifact,
    tiers: Tiers,
    prices: Mapping[str, Price] | None = None,
    signal: str = LEARNED,
    progress: Callable[[int], None] = lambda done: None,
) -> Replay:
    """Judge every record as the gateway would; raises InvalidRequest without records, or without the agreement that the artifact needs."""
    if artifact.certificate.samples and not tiers.agreement:
        raise InvalidRequest("the calibration was fitted with agreement: replay it with --agreement")
    chosen = list(records)
    if not chosen:
        raise InvalidRequest("there are no records")
    judged: list[Judgement | None] = []
    for record in chosen:
        judged.append(_judged(record, artifact, tiers, signal))
        progress(len(judged))
    return _arrays(chosen, judged, artifact, tiers, prices or {})


def _judged(record: Record, artifact: Artifact, tiers: Tiers, signal: str) -> Judgement | None:
    one = draft(record, tiers)
    if one is not None and record.answers[tiers.small].features is None:
        return artifact.judge(one, signal)
    return artifact.rate(found(record, tiers), words(record, tiers), record.group) if signal == LEARNED else None


def _arrays(
    records: Sequence[Record], judged: Sequence[Judgement | None], artifact: Artifact, tiers: Tiers, prices: Mapping[str, Price]
) -> Replay:
    tried = np.array([not (record.request.messages and artifact.hopeless(record.request)) for record in records])
    keep = np.array([one is not None and one.keep for one in judged]) & tried
    certificate = artifact.certificate
    return Replay(
        np.array([record.group for record in records]),
        np.array([record.key for record in records]),
        np.array([record.answers[tiers.small].correct for record in records]),
        np.array([record.answers[tiers.large].correct for record in records]),
        np.array([math.nan if one is None else one.confidence for one in judged]),
        np.array([UNJUDGED if one is None else one.score for one in judged]),
        np.array([UNJUDGED if one is None else one.order for one in judged]),
        keep,
        np.array([one is not None and one.threshold is not None for one in judged]),
        tried,
        _costs(records, tiers, prices),
        Target(max_error=certificate.max_error, confidence=certificate.confidence),
        certificate.promise if certificate.max_cost is None else None,
    )


def _costs(records: Sequence[Record], tiers: Tiers, prices: Mapping[str, Price]) -> Costs | None:
    """Dollars where both prices and all usages are known."""
    found = [pair for record in records if (pair := costs(record, tiers, prices)) is not None]
    if len(found) < len(records):
        return None
    return Costs(np.array([small for small, _ in found]), np.array([large for _, large in found]))


def summarise(result: Replay) -> Report:
    """All measures, over everything and by group."""
    names = sorted(set(result.groups.tolist()))
    groups = {name: _summary(result, result.groups == name) for name in names}
    return Report(**_summary(result, np.ones(len(result.small), dtype=np.bool_)), promise=result.promise, groups=groups)


def _summary(result: Replay, members: Bools) -> Summary:
    small, large, order = result.small[members], result.large[members], result.order[members]
    kept, wrong = result.kept[members], result.wrong[members]
    curve = quality_curve(order, small, large)
    known = members & ~np.isnan(result.confidence)
    return Summary(
        n=len(small),
        small=float(small.mean()),
        large=float(large.mean()),
        oracle=float(np.maximum(small, large).mean()),
        auroc=auroc(result.score[members], wrong),
        apgr=apgr(curve),
        cpt50=cpt(curve, 0.5),
        cpt80=cpt(curve, 0.8),
        calls95=calls_for(curve),
        ece=ece(result.confidence[known], (result.small[known] >= 0.5).astype(float)),
        target=result.target,
        coverage=float(kept.mean()),
        kept_error=float(wrong[kept].mean()) if kept.any() else None,
        certified=bool(result.certified[members].any()),
        cps=_cps(result, members),
    )


def _cps(result: Replay, members: Bools) -> CostPerSuccess | None:
    if result.costs is None:
        return None
    small, large = result.costs.small[members], result.costs.large[members]
    kept, tried = result.kept[members], result.tried[members]
    cascade = float((small * tried).sum() + (large * ~kept).sum())
    answered = np.where(kept, result.small[members], result.large[members])
    return CostPerSuccess(
        small=_per_success(float(small.sum()), result.small[members]),
        large=_per_success(float(large.sum()), result.large[members]),
        cascade=_per_success(cascade, answered),
    )


def _per_success(cost: float, quality: Floats) -> float | None:
    right = float(quality.sum())
    return cost / right if right > 0 else None
