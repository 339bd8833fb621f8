"""From labelled examples to an artifact: cross-fitted scores, maps, thresholds with a bound, heads before generation.

The labels that a threshold is tested on are never those its score was fitted on: below 10,000 records every record is scored by a model
fitted without its fold (and the model that serves is fitted on all), from there on the model sees a fixed 60 % of the questions and the
threshold the rest.
"""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from router.calibration import training
from router.calibration.artifact import LEARNED, Artifact, by_gain, ruling
from router.calibration.drift import Reference
from router.calibration.examples import FEWEST, Example, fingerprint
from router.calibration.features import FEATURES, LOGPROB_FEATURES, vector
from router.calibration.heads import Heads, fit_heads
from router.calibration.linear import HEAD_FEATURES
from router.calibration.maps import Map, Platt, fit_map, logit, sigmoid
from router.calibration.stored import Certificate, Ensemble, Signal, Stored
from router.calibration.thresholds import Paid, Promise, Threshold, fixed_sequence, thinned, upper_bound, within_cost
from router.calibration.trees import MOST_LEAVES, Forest
from router.errors import InvalidRequest

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
Progress = Callable[[str], None]
SPLIT_FROM, FOLDS, SHARE = 10_000, 5, 0.6
OWN_THRESHOLD = 300
BOOSTED_FROM = 1000
CLOSED, SEEN = 64, 20
NAMED_GROUPS = 200
IN_VAIN = 0.10


@dataclass(frozen=True, slots=True)
class Options:
    """At most `max_error` of `loss` among the kept, with probability `confidence`; `objective` says what is deferred first.

    With `max_cost` the best quality instead, at a mean cost of at most so many dollars a request. `promise` says what the share is
    counted over: the next requests, as many as there are labels, or all there will ever be.
    """

    objective: Literal["error", "gain"] = "error"
    loss: Literal["error", "regret"] = "error"
    max_error: float = 0.05
    confidence: float = 0.95
    small: str = "small"
    large: str | None = "large"
    seed: int = 0
    max_cost: float | None = None
    promise: Promise = "next"


@dataclass(frozen=True, slots=True)
class _Model:
    """Fitted on some examples, able to score others."""

    features: tuple[str, ...]
    parts: tuple[Ensemble, ...]
    gain: tuple[Ensemble, ...]
    heads: Heads


@dataclass(frozen=True, slots=True)
class _Scored:
    """Held-out log-odds of the examples at `places`."""

    places: Places
    wrong: Floats
    gain: Floats | None
    head: Floats


def fit(examples: Sequence[Example], options: Options, progress: Progress = lambda line: None) -> Artifact:
    """The artifact of the labelled examples; raises InvalidRequest where there are too few or their labels do not allow the objective."""
    _check(examples, options)
    folds = _folds(examples, options.seed)
    model, scored = (
        _split(examples, folds, options, progress) if len(examples) >= SPLIT_FROM else _crossfit(examples, folds, options, progress)
    )
    progress("thresholds")
    signals = {LEARNED: _signal(examples, scored.places, scored.wrong, _order(scored), options)} | dict(_raw_signals(examples, options))
    warnings = tuple(_warnings(examples, signals, options))
    stored = Stored(
        "smallfirst-calibration",
        1,
        _certificate(examples, options, warnings),
        model.features,
        model.parts,
        model.gain,
        model.heads.pair,
        _hopeless_below(examples, scored, signals[LEARNED]) if options.max_cost is None else None,
        signals,
        model.heads.answered,
    )
    return Artifact.of(stored)


def _check(examples: Sequence[Example], options: Options) -> None:
    if len(examples) < FEWEST:
        raise InvalidRequest(f"{len(examples)} labelled records are too few to fit anything, at least {FEWEST} are needed")
    if (options.objective == "gain" or options.loss == "regret") and any(one.label.large is None for one in examples):
        raise InvalidRequest("the order by gain and the loss by regret need the large tier's label on every record")
    if options.max_cost is not None and any(one.label.costs is None or one.label.large is None for one in examples):
        raise InvalidRequest("a target of cost needs the price of both tiers, and usage and label of both on every record")


def _folds(examples: Sequence[Example], seed: int) -> Places:
    """A fold for every example, drawn by question."""
    keys = sorted({one.label.key for one in examples})
    drawn = np.random.default_rng(seed).permutation(len(keys)) * FOLDS // max(len(keys), 1)
    fold = dict(zip(keys, drawn.tolist(), strict=True))
    return np.array([fold[one.label.key] for one in examples], dtype=np.intp)


def _at(examples: Sequence[Example], places: Places) -> list[Example]:
    return [examples[place] for place in places.tolist()]


def _split(examples: Sequence[Example], folds: Places, options: Options, progress: Progress) -> tuple[_Model, _Scored]:
    progress("model (60 % of the questions)")
    fitted, held = np.flatnonzero(folds < FOLDS * SHARE), np.flatnonzero(folds >= FOLDS * SHARE)
    model = _train(_at(examples, fitted), options, boost=True)
    return model, _score(model, examples, held)


def _crossfit(examples: Sequence[Example], folds: Places, options: Options, progress: Progress) -> tuple[_Model, _Scored]:
    found: list[_Scored] = []
    boost = len(examples) >= BOOSTED_FROM
    for fold in range(FOLDS):
        progress(f"fold {fold + 1} of {FOLDS}")
        held = np.flatnonzero(folds == fold)
        if len(held):
            found.append(_score(_train(_at(examples, np.flatnonzero(folds != fold)), options, boost=boost), examples, held))
    progress("model (all questions)")
    gains = [one.gain for one in found if one.gain is not None]
    places = np.concatenate([one.places for one in found])
    scored = _Scored(
        places,
        np.concatenate([one.wrong for one in found]),
        np.concatenate(gains) if gains else None,
        np.concatenate([one.head for one in found]),
    )
    return _train(examples, options, boost=boost), scored


def _train(examples: Sequence[Example], options: Options, *, boost: bool) -> _Model:
    """Heads first; the trees see the heads' own out-of-fold scores."""
    wrong = np.array([one.wrong for one in examples])
    right = None if any(one.label.large is None for one in examples) else np.array([(one.label.large or 0.0) >= 0.5 for one in examples])
    weights = np.array([one.label.weight for one in examples])
    weights = weights / weights.mean()
    heads, scores = fit_heads(examples, _folds(examples, seed=1) % 3, ~wrong, right, weights)
    found = [dict(one.found) | score for one, score in zip(examples, scores, strict=True)]
    names = _telling(found)
    table = np.array([vector(one, names) for one in found])
    parts = _ensembles(table, wrong, weights, boost)
    gain = _ensembles(table, right, weights, boost) if options.objective == "gain" and right is not None else ()
    return _Model(names, parts, gain, heads)


def _ensembles(rows: Floats, happened: Bools, weights: Floats, boost: bool) -> tuple[Ensemble, ...]:
    if happened.all() or not happened.any() or not rows.shape[1]:
        return (training.constant(float(happened.mean())),)
    if not boost:
        return (training.randomised(rows, happened, weights, leaves=MOST_LEAVES),)
    return training.boosted(rows, happened, weights), training.randomised(rows, happened, weights)


def _telling(found: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Features with at least two known values here."""
    known = [name for name in FEATURES if any(name in one for one in found)]
    return tuple(name for name in known if len({value for one in found if (value := one.get(name, np.nan)) == value}) > 1)


def _score(model: _Model, examples: Sequence[Example], places: Places) -> _Scored:
    width = len(model.features)
    chosen = _at(examples, places)
    heads = model.heads.scores(chosen)
    rows = [vector(dict(one.found) | head, model.features) for one, head in zip(chosen, heads, strict=True)]
    parts, gain = _compiled(model.parts, width), _compiled(model.gain, width)
    wrong = np.array([np.mean([part.score(row) for part in parts]) for row in rows])
    large = np.array([np.mean([part.score(row) for part in gain]) for row in rows]) if gain else None
    return _Scored(places, wrong, large, np.array([head.get(HEAD_FEATURES[0], 0.0) for head in heads]))


def _compiled(parts: Iterable[Ensemble], width: int) -> list[Forest]:
    return [Forest.of(part.trees, width, part.bias, part.mean) for part in parts]


def _order(scored: _Scored) -> Floats:
    if scored.gain is None:
        return scored.wrong
    return np.array([by_gain(wrong, large) for wrong, large in zip(scored.wrong, scored.gain, strict=True)])


def _raw_signals(examples: Sequence[Example], options: Options) -> Iterable[tuple[str, Signal]]:
    """Every raw score that nine in ten records have; a score that was not fitted may be tested on all labels."""
    for name in sorted({name for one in examples for name in one.raw}):
        places = np.array([place for place, one in enumerate(examples) if name in one.raw], dtype=np.intp)
        if len(places) >= 0.9 * len(examples):
            values = np.array([one.raw[name] for one in _at(examples, places)])
            yield name, _signal(examples, places, values, values, options)


def _signal(examples: Sequence[Example], places: Places, scores: Floats, order: Floats, options: Options) -> Signal:
    chosen = _at(examples, places)
    wrong = np.array([one.wrong for one in chosen])
    loss = wrong if options.loss == "error" else np.array([one.regret for one in chosen])
    error = fit_map(scores, wrong) if wrong.any() and not wrong.all() else Platt(0.0, logit(float(wrong.mean()), 1e-3))
    plain = thinned([one.label.weight for one in chosen], options.seed)
    groups = np.array([one.label.group for one in chosen])

    reference = _reference(chosen, scores, error)
    if options.max_cost is not None:
        limit = _affordable(_at(chosen, np.flatnonzero(plain)), order[plain], options, options.max_cost)
        return Signal(error, limit, limit, (), {}, reference)

    def certify(members: Bools) -> Threshold | None:
        tested = members & plain
        return fixed_sequence(order[tested], loss[tested], options.max_error, options.confidence, options.promise)

    counts = Counter(groups[plain].tolist())
    own = {group: certify(groups == group) for group, count in sorted(counts.items()) if count >= OWN_THRESHOLD and len(counts) > 1}
    others = tuple(sorted(set(counts) - set(own)))
    pooled = certify(np.ones(len(chosen), dtype=np.bool_))
    rest = certify(np.isin(groups, others)) if own and others else pooled
    return Signal(error, pooled, rest, others if own else (), own, reference)


def _affordable(chosen: Sequence[Example], order: Floats, options: Options, max_cost: float) -> Threshold:
    """One threshold over all groups, for a mean cost is one of all traffic."""
    costs = np.array([one.label.costs or (0.0, 0.0) for one in chosen])
    right, large = (np.array(values) for values in ([one.label.small for one in chosen], [one.label.large or 0.0 for one in chosen]))
    found = within_cost(order, right, Paid(costs[:, 0], costs[:, 1]), max_cost, options.confidence, large)
    if found is None:
        raise InvalidRequest(
            f"even with every draft kept, a request costs more than {max_cost:g} dollars with confidence {options.confidence:g}"
        )
    return found


def _reference(chosen: Sequence[Example], scores: Floats, error: Map) -> Reference | None:
    """The confidences of the drafts that no contract refuses, as only those are judged live.

    Families are named where they are few and the gateway's own: a data set's groups are nothing that clients would send.
    """
    judged = [place for place, one in enumerate(chosen) if not one.found.get("violations", 0.0) > 0]
    families = {one.label.group for one in chosen} - {""}
    own = all(one.label.group and one.label.source != "gold" for one in chosen)
    named = families if own and len(families) <= NAMED_GROUPS else ()
    return Reference.of([1.0 - error(float(scores[place])) for place in judged], named) if judged else None


def _hopeless_below(examples: Sequence[Example], scored: _Scored, signal: Signal) -> float | None:
    """The P(small right) under which, at 95 % confidence, at most one draft in ten is kept: a walk like the thresholds'."""
    limits = [ruling(signal, one.label.group)[1] for one in _at(examples, scored.places)]
    kept = np.array([limit is not None and value <= limit.limit for limit, value in zip(limits, _order(scored), strict=True)])
    found = None
    for share in np.arange(0.05, 1.0, 0.05):
        floor = float(np.quantile(scored.head, share))
        under = scored.head < floor
        if under.sum() < FEWEST:
            continue
        if not kept.any() or upper_bound(int(kept[under].sum()), int(under.sum()), 0.95) > IN_VAIN:
            break
        found = floor
    return None if found is None else sigmoid(found)


def _certificate(examples: Sequence[Example], options: Options, warnings: tuple[str, ...]) -> Certificate:
    names = Counter(name for one in examples for name in one.functions)
    closed = 0 < len(names) <= CLOSED and sum(names.values()) >= SEEN * len(names)
    held = len(examples) if len(examples) < SPLIT_FROM else int((_folds(examples, options.seed) >= FOLDS * SHARE).sum())
    return Certificate(
        options.objective,
        options.loss,
        options.max_error,
        options.confidence,
        "split" if len(examples) >= SPLIT_FROM else "crossfit",
        len(examples),
        held,
        dict(sorted(Counter(one.label.source for one in examples).items())),
        dict(sorted(Counter(one.label.group for one in examples).most_common(NAMED_GROUPS))),
        fingerprint(examples),
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        options.small,
        options.large,
        tuple(sorted({one.kind for one in examples})),
        tuple(sorted(names)) if closed else None,
        sum(bool(LOGPROB_FEATURES & one.found.keys()) for one in examples) > len(examples) / 2,
        sum(one.samples for one in examples) > len(examples) / 2,
        warnings,
        options.max_cost,
        options.promise,
    )


def _warnings(examples: Sequence[Example], signals: Mapping[str, Signal], options: Options) -> Iterable[str]:
    learned = signals[LEARNED]
    if options.max_cost is not None:
        yield f"fitted to a cost of at most {options.max_cost:g} dollars a request: nothing is promised of the error among the kept"
        return
    promise = f"at most {options.max_error:g} {options.loss} with confidence {options.confidence:g}"
    if learned.pooled is None:
        yield f"nothing certifies {promise} over all groups: drafts of no known group escalate"
    for group, threshold in learned.groups.items():
        if threshold is None:
            yield f"nothing certifies {promise} in group {group!r}: it escalates"
    counts = Counter(one.label.group for one in examples)
    small = sorted(counts.keys() - learned.groups.keys())
    if len(counts) > 1 and small:
        yield f"{len(small)} of {len(counts)} groups have fewer than {OWN_THRESHOLD} labels and share one threshold: {', '.join(small[:8])}"
    if any(one.label.source == "audit" for one in examples):
        yield "labels from audits say 'differs from the large model', not 'wrong'"
