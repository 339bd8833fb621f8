"""One self-contained HTML page of a replay: quality against cost with all baselines, risk, reliability, groups, next labels."""

import datetime
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from router.calibration.stored import Certificate
from router.calibration.thresholds import Promise, upper_bound
from router.evaluation.labels import coverage_with
from router.evaluation.measures import apgr, calls_for, ece_of_perfect, quality_curve, reliability, risk_coverage
from router.evaluation.plots import Line, Plot
from router.evaluation.replay import Replay, Report, Summary

Floats = NDArray[np.float64]
POINTS = 120
OURS = "this calibration"
_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;font-size:13px}"
    "td,th{border:1px solid #ccc;padding:.2rem .5rem;text-align:right;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}svg{max-width:100%}"
    ".warn{color:#a00}"
)
_COLUMNS = ("n", "small", "large", "oracle", "auroc", "apgr", "cpt50", "cpt80", "calls95", "ece", "coverage", "kept_error", "certified")
_RATES = frozenset({"small", "large", "oracle", "cpt50", "cpt80", "calls95", "coverage", "kept_error"})
_HEADS = {"coverage": "kept", "kept_error": "wrong kept", "calls95": "calls 95 %", "auroc": "AUROC", "apgr": "APGR", "ece": "ECE"}
_EXPLAINED = (
    "<p>small, large, oracle: share right. AUROC and ECE are of P(small wrong). APGR, cpt50, cpt80 and calls 95 % are of the order: "
    "the mean share of the gap between the tiers that is closed, and the shares of large calls that close half of it, 80 % of it, "
    "and that give 95 % of the large tier's quality.</p>"
)
LITTLE = 0.03


def page(title: str, result: Replay, report: Report, orders: Mapping[str, Floats], certificate: Certificate) -> str:
    """The page; `orders` are the baselines' deferral orders over the same records."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        _promise(certificate, report),
        "<h2>Quality against cost</h2>",
        _quality(result, orders).svg(),
        _baseline_table(result, orders),
        "<h2>Risk against coverage</h2>",
        _risk(result).svg(),
        "<h2>Reliability</h2>",
        _reliability(result),
        "<h2>Groups</h2>",
        _groups(report),
        "" if result.promise is None else _next_labels(result, result.promise),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _promise(certificate: Certificate, report: Report) -> str:
    sources = ", ".join(f"{count} {source}" for source, count in certificate.sources.items())
    error = report["kept_error"]
    kept = "nothing is kept" if error is None else f"{report['coverage']:.1%} kept, {error:.2%} of them wrong"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        f"<p>Promise: {_target(certificate)}; order by {certificate.objective}. Here, over {report['n']} records: {kept}.</p>",
        f"<p>Fitted {escape(certificate.created)} on {certificate.records} records ({escape(sources)}), {escape(certificate.method)}, ",
        f"data <code>{escape(certificate.fingerprint[:23])}</code>. Page of {today}.</p>",
    ]
    return "".join(lines) + "".join(f'<p class="warn">{escape(warning)}</p>' for warning in certificate.warnings)


def _target(certificate: Certificate) -> str:
    sure = f"with {certificate.confidence:.0%} confidence"
    if certificate.max_cost is not None:
        return f"at most {certificate.max_cost:g} dollars a request in the mean, {sure}; nothing of the error among the kept"
    over = {"next": "the next requests, as many as were labelled", "rate": "all that will ever be kept"}[certificate.promise]
    return f"at most {certificate.max_error:.1%} {certificate.loss} among the kept, {sure}, counted over {over}"


def _quality(result: Replay, orders: Mapping[str, Floats]) -> Plot:
    everything = {OURS: result.order, **orders}
    lines = [Line(name, _thin(*_cost_quality(result, order)), dashed=name in ("random", "oracle")) for name, order in everything.items()]
    answered = np.where(result.kept, result.small, result.large)
    at = float(_spent(result).mean()) if result.costs else float(1 - result.kept.mean())
    dear = result.costs.large.mean() if result.costs else 1.0
    cheap = result.costs.small.mean() if result.costs else 0.0
    ends = (("always small", cheap, result.small), ("always large", dear, result.large), ("at the threshold", at, answered))
    lines += [Line(name, [(_shown_cost(result, float(cost)), float(quality.mean()))], dots=True) for name, cost, quality in ends]
    return Plot("Quality against cost", "dollars per 1,000 requests" if result.costs else "share of large calls", "quality", lines)


def _shown_cost(result: Replay, cost: float) -> float:
    return 1000 * cost if result.costs else cost


def _spent(result: Replay) -> Floats:
    if result.costs is None:
        return np.zeros(0)
    return result.costs.small * result.tried + result.costs.large * ~result.kept


def _cost_quality(result: Replay, order: Floats) -> tuple[Floats, Floats]:
    curve = quality_curve(order, result.small, result.large)
    if result.costs is None:
        return np.linspace(0, 1, len(curve)), curve
    dear = np.concatenate([[0.0], np.cumsum(result.costs.large[np.argsort(-order, kind="stable")])])
    return 1000 * (result.costs.small.sum() + dear) / len(order), curve


def _thin(xs: Floats, ys: Floats) -> list[tuple[float, float]]:
    places = np.unique(np.linspace(0, len(xs) - 1, POINTS).astype(int))
    return [(float(xs[place]), float(ys[place])) for place in places]


def _baseline_table(result: Replay, orders: Mapping[str, Floats]) -> str:
    rows = []
    for name, order in {OURS: result.order, **orders}.items():
        curve = quality_curve(order, result.small, result.large)
        rows.append([name, _shown(apgr(curve)), _rate(calls_for(curve))])
    small, large = float(result.small.mean()), float(result.large.mean())
    rows += [["always small", "0", ""], ["always large", "", "100.0 %"]]
    note = f"<p>The small tier is right in {small:.1%} of all cases, the large one in {large:.1%}."
    little = "" if large - small >= LITTLE else " So small a gap makes APGR, a share of it, say little."
    return f"{note}{little}</p>" + _table(["order", "APGR", "large calls for 95 % of the large tier's quality"], rows)


def _risk(result: Replay) -> Plot:
    coverage, risk = risk_coverage(result.order, result.wrong)
    places = np.unique(np.linspace(max(0, int(0.05 * len(risk))), len(risk) - 1, POINTS).astype(int))
    bound = [
        (float(coverage[place]), upper_bound(round(risk[place] * (place + 1)), int(place) + 1, result.target["confidence"]))
        for place in places
    ]
    lines = [
        Line("error among the kept", [(float(coverage[place]), float(risk[place])) for place in places]),
        Line(f"exact bound, {result.target['confidence']:.0%}", bound, dashed=True),
    ]
    if result.kept.any():
        lines.append(Line("kept by the threshold", [(float(result.kept.mean()), float(result.wrong[result.kept].mean()))], dots=True))
    ends = ((0.0, 0.0), (1.0, 0.0))
    target = None if result.promise is None else ("target", result.target["max_error"])
    return Plot("Risk against coverage", "share kept on the small tier", "wrong among them", lines, target, ends)


def _reliability(result: Replay) -> str:
    known = ~np.isnan(result.confidence)
    if not known.any():
        return "<p>No record could be judged.</p>"
    confidence, correct = result.confidence[known], (~result.wrong[known]).astype(float)
    bins = reliability(confidence, correct)
    lines = [
        Line("15 bins of equal mass", [(one.confidence, one.accuracy) for one in bins], dots=True),
        Line("perfect", [(0.0, 0.0), (1.0, 1.0)], dashed=True),
    ]
    limit = ece_of_perfect(confidence)
    found = sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / len(confidence)
    note = f"<p>ECE {found:.3f}; a perfectly calibrated model shows up to {limit:.3f} on as many records (95 % quantile).</p>"
    return Plot("Reliability", "stated confidence", "share right", lines).svg() + note


def _groups(report: Report) -> str:
    rows = [["all", *_cells(report)], *([name, *_cells(group)] for name, group in report["groups"].items())]
    return _EXPLAINED + _table(["group", *(_HEADS.get(name, name) for name in _COLUMNS)], rows)


def _cells(summary: Summary | Report) -> list[str]:
    known: Mapping[str, object] = {**summary}
    return [_rate(known[name]) if name in _RATES else _shown(known[name]) for name in _COLUMNS]


def _next_labels(result: Replay, promise: Promise) -> str:
    known = result.order < 1e8
    order, wrong, target = result.order[known], result.wrong[known], result.target
    rows = []
    for more in (0, 100, 200, 300, 1000):
        share = coverage_with(order, wrong, more, target["max_error"], target["confidence"], promise)
        rows.append([f"{more} more" if more else f"the {len(order)} of this page", _rate(share)])
    note = "<p>What the test would certify on these records, all groups pooled, if further labels showed the same error rates.</p>"
    return "<h2>What the next labels would buy</h2>" + note + _table(["labels", "share kept that would be certified"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _rate(value: object) -> str:
    return f"{value:.1%}".replace("%", " %") if isinstance(value, float) else ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else str(value)
