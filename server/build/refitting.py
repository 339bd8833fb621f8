"""How calibrations are fitted again, and put to work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

from router.calibration.artifact import LEARNED, Artifact
from router.calibration.options import Options
from router.errors import ConfigError
from router.evaluation.drafts import Tiers
from server.api.parts import Parts
from server.build.calibrated import Calibrations, calibrated, limits_of, stricter_of
from server.build.following import watched_route
from server.build.routes import built_route, price_of
from server.build.running import Surroundings
from server.config import HourPrice, RouteSettings, Settings, Target
from server.recalibrating import Plan, Recalibrator, Scheduled
from server.recording import Recording


def plans(name: str, route: RouteSettings, known: Calibrations) -> list[Plan]:
    """How the route would be fitted again, for its own target and for every stricter one; none where it has no calibration."""
    found, given = calibrated(name, route, known)
    if found is None:
        return []
    score, aim = str(given.get("score", LEARNED)), route.target
    own = _plan(name, route, found, score, aim)
    stricter = [(label, stricter_of(name, label, target, known), target) for label, target in route.stricter]
    others = [
        replace(_plan(name, route, artifact, score, Target(max_error=each.max_error, confidence=each.confidence)), target=label)
        for label, artifact, each in stricter
    ]
    return [own, *others]


def _plan(name: str, route: RouteSettings, found: Artifact, score: str, aim: Target) -> Plan:
    known, window, names = found.certificate, route.recalibrate, [tier.label for tier in route.tiers]
    options = Options(
        known.objective, known.loss, aim.max_error, aim.confidence, names[0], names[-1], max_cost=aim.max_cost, promise=known.promise
    )
    return Plan(
        name,
        known.fingerprint,
        Tiers(names[0], names[-1], known.samples),
        options,
        {tier.label: price_of(tier) for tier in route.tiers if not isinstance(tier.price, HourPrice)},
        score,
        window.days,
        window.least,
        None if window.source == "all" else window.source,
    )


@dataclass(frozen=True, slots=True)
class Installed:
    """Puts a calibration to work that was fitted again; requests under way keep the old one."""

    settings: Settings
    around: Surroundings
    parts: Parts
    told: dict[str, tuple[str, ...]]
    followed: Recording
    shown: Callable[[str, Mapping[str, float]], None]

    newer: dict[str, dict[str | None, Artifact]] = field(default_factory=dict)

    def __call__(self, plan: Plan, artifact: Artifact) -> None:
        name, given = plan.route, self.settings.routes[plan.route]
        newer = {**self.newer.get(name, {}), plan.target: artifact}
        known = self.parts.cascades[name]
        made = built_route(name, given, self.around, self.followed.floor(name), newer)
        self.parts.cascades[name] = replace(known, route=replace(made, proven=known.route.proven))
        self.newer[name] = newer
        if plan.target is not None:
            return
        self.followed.watcher.follow(name, watched_route(name, given, self.around, artifact))
        self.told[name] = artifact.notices(plan.score)
        self.shown(name, limits_of(name, given, self.around.calibrations, artifact))


def built_recalibrator(settings: Settings, around: Surroundings, installed: Installed) -> Recalibrator | None:
    """What follows and schedules new calibrations; `None` where no store is configured.

    Raises ConfigError for a schedule where nothing can be fitted.
    """
    if settings.outcomes is None:
        return None
    routes = {
        made.name: Scheduled(made, None if route.recalibrate.hours is None else 3600 * route.recalibrate.hours)
        for name, route in settings.routes.items()
        if len(route.tiers) > 1
        for made in plans(name, route, around.calibrations)
    }
    for made in routes.values():
        if made.every is not None and find_spec("sklearn") is None:
            key = f"routes.{made.plan.route}.recalibrate"
            raise ConfigError(f"{key}: fitting needs the extra `fit`: pip install 'smallfirst[fit]'", param=key)
    watcher = installed.followed.watcher
    return Recalibrator(watcher.store, settings.outcomes.url, around.folder, routes, installed, watcher.log)
