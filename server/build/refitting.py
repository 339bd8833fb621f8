"""How calibrations are fitted again, and put to work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from router.calibration.artifact import LEARNED, Artifact
from router.calibration.options import Options
from router.evaluation.drafts import Tiers
from server.api.parts import Parts
from server.build.calibrated import calibrated, limits_of
from server.build.following import watched_route
from server.build.routes import built_route, price_of
from server.build.running import Surroundings
from server.config import HourPrice, RouteSettings, Settings
from server.recalibrating import Plan, Recalibrator, Scheduled
from server.recording import Recording


def plan(name: str, route: RouteSettings, folder: Path) -> Plan | None:
    """How the route would be fitted again; `None` where no confidence verifier has a calibration."""
    found, given = calibrated(name, route, folder)
    if found is None:
        return None
    known, window, names = found.certificate, route.recalibrate, [tier.label for tier in route.tiers]
    aim = route.target
    options = Options(
        known.objective, known.loss, aim.max_error, aim.confidence, names[0], names[-1], max_cost=aim.max_cost, promise=known.promise
    )
    return Plan(
        name,
        known.fingerprint,
        Tiers(names[0], names[-1], known.samples),
        options,
        {tier.label: price_of(tier) for tier in route.tiers if not isinstance(tier.price, HourPrice)},
        str(given.get("score", LEARNED)),
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

    def __call__(self, name: str, artifact: Artifact) -> None:
        given, known = self.settings.routes[name], self.parts.cascades[name]
        made = built_route(name, given, self.around, self.followed.floor(name), artifact)
        self.parts.cascades[name] = replace(known, route=replace(made, proven=known.route.proven))
        self.followed.watcher.follow(name, watched_route(name, given, self.around, artifact))
        self.told[name] = artifact.notices(str(calibrated(name, given, self.around.folder)[1].get("score", LEARNED)))
        self.shown(name, limits_of(name, given, self.around.folder, artifact))


def built_recalibrator(settings: Settings, around: Surroundings, installed: Installed) -> Recalibrator | None:
    """What follows and schedules new calibrations; `None` where no store is configured."""
    if settings.outcomes is None:
        return None
    plans = {name: plan(name, route, around.folder) for name, route in settings.routes.items() if len(route.tiers) > 1}
    hours = {name: route.recalibrate.hours for name, route in settings.routes.items()}
    routes = {name: Scheduled(made, 3600 * every if (every := hours[name]) else None) for name, made in plans.items() if made}
    watcher = installed.followed.watcher
    return Recalibrator(watcher.store, settings.outcomes.url, around.folder, routes, installed, watcher.log)
