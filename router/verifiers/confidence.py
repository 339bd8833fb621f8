"""Whether a draft is sure enough to keep: a score, calibrated to P(correct), held against a threshold with a bound."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import InstanceOf, SkipValidation

from router.calibration.artifact import LEARNED, Artifact
from router.errors import ConfigError
from router.registry import verifiers
from router.types import Draft, Evidence, Ruling, Verdict


@verifiers.register("confidence")
@dataclass(frozen=True, slots=True)
class ConfidenceVerifier:
    """Keeps what the artifact's threshold keeps.

    Fields: `calibration`, the artifact or its path, read once when the verifier is built; `score`, `learned` or a raw score that the
    artifact has a map for.
    """

    kind: ClassVar[str]
    calibration: str | Path | InstanceOf[Artifact]
    score: str = LEARNED
    artifact: Annotated[Artifact, SkipValidation] = field(init=False, repr=False, compare=False)
    """The calibration at work."""

    def __post_init__(self) -> None:
        if not isinstance(self.calibration, Artifact):
            object.__setattr__(self, "calibration", Artifact.load(self.calibration))
        object.__setattr__(self, "artifact", self.calibration)
        signals = self.artifact.stored.signals
        if self.score not in signals:
            raise ConfigError(f"score: the artifact has no {self.score!r}, only {', '.join(sorted(signals))}", param="score")

    @property
    def needs(self) -> Evidence:
        """What the score needs."""
        return self.artifact.needs(self.score)

    async def judge(self, draft: Draft) -> Verdict:
        """`UNABLE` where evidence is missing or the case is not covered; without a certified threshold everything is deferred."""
        found = self.artifact.judge(draft, self.score)
        if found is None:
            reason = "evidence_missing" if self.artifact.covers(draft) else "not_covered"
            return Verdict(self.kind, Ruling.UNABLE, reason)
        if found.keep:
            ruling, reason = Ruling.ACCEPT, ""
        else:
            ruling, reason = Ruling.DEFER, "not_certified" if found.threshold is None else "under_threshold"
        return Verdict(self.kind, ruling, reason, found.confidence, score=found.order, features=found.features)
