"""The calibrations that routes judge by: read, held to what was promised, and told of."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from router.calibration.artifact import LEARNED, Artifact
from router.errors import ConfigError
from server.config import RouteSettings, Settings, StricterTarget, Target, refuse


def artifact_of(where: str, options: Mapping[str, object], folder: Path) -> Artifact | None:
    """The calibration that a verifier names, read once; raises ConfigError naming the whole key."""
    path = options.get("calibration")
    if not isinstance(path, str):
        return None
    try:
        return Artifact.load(folder / path)  # an absolute path stands for itself
    except ConfigError as error:
        raise ConfigError(f"{where}.calibration: {error.message}", param=f"{where}.calibration") from error


def calibrated(name: str, route: RouteSettings, folder: Path) -> tuple[Artifact | None, Mapping[str, object]]:
    """The calibration that the route judges by, and the options of its verifier."""
    for at, given in enumerate(route.verifiers):
        artifact = artifact_of(f"routes.{name}.verifiers.{at}", given.options, folder)
        if artifact is not None:
            return artifact, given.options
    return None, {}


def limits_of(name: str, route: RouteSettings, folder: Path, newer: Artifact | None = None) -> Mapping[str, float]:
    """The certified thresholds that the route judges by, by group."""
    configured, options = calibrated(name, route, folder)
    artifact = newer or configured
    return artifact.limits(str(options.get("score", LEARNED))) if artifact else {}


def hold_to_target(key: str, target: Target, artifact: Artifact) -> None:
    """A target that the thresholds were not fitted to would be a promise that nobody keeps."""
    fitted = artifact.certificate
    if (target.max_cost is None) != (fitted.max_cost is None):
        refuse(f"{key}.max_cost", "target and calibration must both be of cost (`smallfirst fit --max-cost`), or both of error")
    if fitted.max_cost is not None and target.max_cost is not None:
        if fitted.max_cost > target.max_cost or fitted.confidence < target.confidence:
            told = f"its calibration was fitted to a cost of {fitted.max_cost:g} at confidence {fitted.confidence:g}"
            refuse(f"{key}.max_cost", told)
        return
    if fitted.max_error > target.max_error or fitted.confidence < target.confidence:
        told = (
            f"its calibration was fitted to max_error {fitted.max_error:g} at confidence {fitted.confidence:g}; fit it again or say so here"
        )
        refuse(key, told)


def notices(settings: Settings, folder: Path) -> dict[str, tuple[str, ...]]:
    """By route, what the operator must know of its calibrations: above all that nothing is certified, so that everything escalates."""
    return {name: found for name, route in settings.routes.items() if (found := tuple(_notices(name, route, folder)))}


def _notices(name: str, route: RouteSettings, folder: Path) -> Iterator[str]:
    for at, given in enumerate(route.verifiers):
        artifact = artifact_of(f"routes.{name}.verifiers.{at}", given.options, folder)
        if artifact is None or given.kind != "confidence":
            continue
        score = str(given.options.get("score", LEARNED))
        yield from artifact.notices(score)
        for label, target in route.stricter:
            found = stricter_of(name, label, target, folder)
            yield from (f"target {label}: {sentence}" for sentence in found.notices(score))


def stricter_of(name: str, label: str, target: StricterTarget, folder: Path) -> Artifact:
    """The calibration of a stricter target; raises ConfigError where there is none, or one of a looser promise."""
    key = f"routes.{name}.targets.{label}"
    found = artifact_of(key, {"calibration": target.calibration}, folder)
    if found is None:
        raise ConfigError(f"{key}.calibration: a path is needed", param=f"{key}.calibration")
    hold_to_target(key, Target(max_error=target.max_error, confidence=target.confidence), found)
    return found
