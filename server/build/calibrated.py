"""The calibrations that routes judge by: read, held to what was promised, and told of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from router.calibration.artifact import LEARNED, Artifact
from router.errors import ConfigError
from server.config import RouteSettings, Settings, StricterTarget, Target, refuse


@dataclass(frozen=True, slots=True)
class Calibrations:
    """The artifacts of a configuration, each read once: what stands on the disk later counts from the next start on.

    Relative paths start at `folder`.
    """

    folder: Path
    _read: dict[Path, Artifact] = field(default_factory=dict, init=False)

    def of(self, where: str, options: Mapping[str, object]) -> Artifact | None:
        """The one that a verifier names; raises ConfigError naming the whole key."""
        given = options.get("calibration")
        if not isinstance(given, str):
            return None
        path = self.folder / given  # an absolute path stands for itself
        if path not in self._read:
            try:
                self._read[path] = Artifact.load(path)
            except ConfigError as error:
                raise ConfigError(f"{where}.calibration: {error.message}", param=f"{where}.calibration") from error
        return self._read[path]


def calibrated(name: str, route: RouteSettings, known: Calibrations) -> tuple[Artifact | None, Mapping[str, object]]:
    """The calibration that the route judges by, and the options of its verifier."""
    for at, given in enumerate(route.verifiers):
        artifact = known.of(f"routes.{name}.verifiers.{at}", given.options)
        if artifact is not None:
            return artifact, given.options
    return None, {}


def limits_of(name: str, route: RouteSettings, known: Calibrations, newer: Artifact | None = None) -> Mapping[str, float]:
    """The certified thresholds that the route judges by, by group."""
    configured, options = calibrated(name, route, known)
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


def notices(settings: Settings, known: Calibrations) -> dict[str, tuple[str, ...]]:
    """By route, what the operator must know of its calibrations: above all that nothing is certified, so that everything escalates."""
    return {name: found for name, route in settings.routes.items() if (found := tuple(_notices(name, route, known)))}


def _notices(name: str, route: RouteSettings, known: Calibrations) -> Iterator[str]:
    for at, given in enumerate(route.verifiers):
        artifact = known.of(f"routes.{name}.verifiers.{at}", given.options)
        if artifact is None or given.kind != "confidence":
            continue
        score = str(given.options.get("score", LEARNED))
        yield from artifact.notices(score)
        for label, target in route.stricter:
            found = stricter_of(name, label, target, known)
            yield from (f"target {label}: {sentence}" for sentence in found.notices(score))


def stricter_of(name: str, label: str, target: StricterTarget, known: Calibrations) -> Artifact:
    """The calibration of a stricter target; raises ConfigError where there is none, or one of a looser promise."""
    key = f"routes.{name}.targets.{label}"
    found = known.of(key, {"calibration": target.calibration})
    if found is None:
        raise ConfigError(f"{key}.calibration: a path is needed", param=f"{key}.calibration")
    hold_to_target(key, Target(max_error=target.max_error, confidence=target.confidence), found)
    return found
