"""What follows the outcomes: the store, the watch, the audits."""

from collections.abc import Callable, Mapping
from functools import partial

from router.asking import Rate
from router.calibration.artifact import LEARNED, Artifact
from router.calibration.watching import Target as Promise
from router.cascade import Cascade
from router.route import Route
from server.auditing import Audited
from server.build.calibrated import calibrated
from server.build.running import Surroundings
from server.config import RouteSettings, Settings, refuse
from server.judging import AgreementJudge
from server.observers.metrics import Metrics
from server.observers.outcomes.ports import Retention, Source
from server.recording import Kept, Meters, Recording, recording
from server.watcher import Watched

EVALUATION_RATE = 0.05
"""The share of kept answers that is audited while a route is evaluated and says no other."""


def built_recording(
    settings: Settings, around: Surroundings, metrics: Metrics, log: Callable[[str], object], cascades: Mapping[str, Cascade]
) -> Recording | None:
    """What follows the outcomes of these cascades, which need not be there yet; `None` where no store is configured."""
    given = settings.outcomes
    if given is None:
        return None
    kept = Kept(given.url, around.folder, given.content, Retention(given.days, given.rows, given.content_days), given.queue)
    beside = metrics.beside
    audits = (beside.audit_energy, beside.audit_tokens)
    meters = Meters(beside.lost, beside.labelled, beside.audit_cost, beside.audit_missed, metrics.promises, log, *audits)
    watched = {name: watched_route(name, route, around) for name, route in settings.routes.items() if len(route.tiers) > 1}
    rates = {name: audit_rate(route) for name, route in settings.routes.items()}
    audited = {
        name: Audited(partial(_at_work, cascades, name), rates[name], _audit_judge(name, route, around))
        for name, route in settings.routes.items()
        if rates[name]
    }
    return recording(kept, {name: found.engine for name, found in around.engines.items()}, watched, audited, meters)


def _at_work(cascades: Mapping[str, Cascade], name: str) -> Route:
    """With the calibration that it has by now."""
    return cascades[name].route


def _audit_judge(name: str, route: RouteSettings, around: Surroundings) -> AgreementJudge | None:
    given = route.audit_judge
    if given is None:
        return None
    price = Rate(given.price.prompt, given.price.completion, given.price.cached)
    outside = around.services.outside(given.engine)
    made = AgreementJudge(around.engines[given.engine].engine, price, given.timeout, given.max_tokens, outside)
    if not made.able:
        refuse(f"routes.{name}.audit_judge.engine", f"engine {given.engine!r} cannot be held to a JSON schema")
    return made


def audit_rate(route: RouteSettings) -> float:
    """In shadow every request is compared anyway; to evaluate needs audits."""
    if route.mode in ("off", "shadow"):
        return 0.0
    return route.audit or (EVALUATION_RATE if route.mode == "evaluate" else 0.0)


def watched_route(name: str, route: RouteSettings, around: Surroundings, newer: Artifact | None = None) -> Watched:
    """What is promised of the route and watched; `newer` stands in place of its configured calibration."""
    configured, options = calibrated(name, route, around.calibrations)
    artifact = newer or configured
    signal = artifact.stored.signals.get(str(options.get("score", LEARNED))) if artifact else None
    source: Source = "audit" if audit_rate(route) or route.mode == "shadow" else "feedback"
    tolerated = route.target.max_error if route.target.max_cost is None else 1.0  # a route of cost promises nothing to be broken
    target = Promise(tolerated, route.target.confidence)
    return Watched(target, artifact.certificate.fingerprint if artifact else "", source, signal.reference if signal else None)
