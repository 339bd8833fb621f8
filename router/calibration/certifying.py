"""Thresholds with a bound for every score, by group and pooled, and the certificate that says what they rest on."""

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from router.calibration.artifact import LEARNED, ruling
from router.calibration.drift import Reference
from router.calibration.examples import FEWEST, Example, fingerprint
from router.calibration.features import LOGPROB_FEATURES
from router.calibration.growing import at
from router.calibration.maps import Map, Platt, fit_map, logit, sigmoid
from router.calibration.options import Options
from router.calibration.stored import Certificate, Signal
from router.calibration.success import SPLIT_FROM, Scored, tested
from router.calibration.thresholds import Paid, Threshold, fixed_sequence, thinned, upper_bound, within_cost
from router.errors import InvalidRequest

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
OWN_THRESHOLD = 300
CLOSED, SEEN = 64, 20
NAMED_GROUPS = 200
IN_VAIN = 0.10


def raw_signals(examples: Sequence[Example], options: Options) -> Iterable[tuple[str, Signal]]:
    """Every raw score that nine in ten records have; a score that was not fitted may be tested on all labels."""
    for name in sorted({name for one in examples for name in one.raw}):
        places = np.array([place for place, one in enumerate(examples) if name in one.raw], dtype=np.intp)
        if len(places) >= 0.9 * len(examples):
            values = np.array([one.raw[name] for one in at(examples, places)])
            yield name, signal(examples, places, values, values, options)


def signal(examples: Sequence[Example], places: Places, scores: Floats, order: Floats, options: Options) -> Signal:
    """The score's map, thresholds and reference, from the scores of the examples at `places`."""
    chosen = at(examples, places)
    wrong = np.array([one.wrong for one in chosen])
    loss = wrong if options.loss == "error" else np.array([one.regret for one in chosen])
    error = fit_map(scores, wrong) if wrong.any() and not wrong.all() else Platt(0.0, logit(float(wrong.mean()), 1e-3))
    plain = thinned([one.label.weight for one in chosen], options.seed)
    groups = np.array([one.label.group for one in chosen])

    reference = _reference(chosen, scores, error)
    if options.max_cost is not None:
        limit = _affordable(at(chosen, np.flatnonzero(plain)), order[plain], options, options.max_cost)
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


def hopeless_below(examples: Sequence[Example], scored: Scored, signal: Signal) -> float | None:
    """The P(small right) under which, at 95 % confidence, at most one draft in ten is kept: a walk like the thresholds'."""
    limits = [ruling(signal, one.label.group)[1] for one in at(examples, scored.places)]
    kept = np.array([limit is not None and value <= limit.limit for limit, value in zip(limits, scored.order, strict=True)])
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


def certificate(examples: Sequence[Example], options: Options, warnings: tuple[str, ...]) -> Certificate:
    """What is promised, and on which labels it rests."""
    names = Counter(name for one in examples for name in one.functions)
    closed = 0 < len(names) <= CLOSED and sum(names.values()) >= SEEN * len(names)
    return Certificate(
        options.objective,
        options.loss,
        options.max_error,
        options.confidence,
        "split" if len(examples) >= SPLIT_FROM else "crossfit",
        len(examples),
        tested(examples, options.seed),
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


def warnings(examples: Sequence[Example], signals: Mapping[str, Signal], options: Options) -> Iterable[str]:
    """What the operator must know."""
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
