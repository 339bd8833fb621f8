"""A watched verifier: what it accepts must also reach the floor that the watcher set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from router.calibration.watching import ESCALATE_ALL
from router.ports import Verifier
from router.types import Draft, Evidence, Ruling, Verdict


@dataclass(frozen=True, slots=True)
class Tightened:
    """Asks `inner` and then the floor; without an `inner` (a route that has no confidence) it abstains until everything must escalate."""

    kind: ClassVar[str] = "confidence"
    floor: Callable[[], float]
    inner: Verifier | None = None

    @property
    def needs(self) -> Evidence:
        """What `inner` needs."""
        return Evidence.NONE if self.inner is None else self.inner.needs

    async def judge(self, draft: Draft) -> Verdict:
        """The verdict of `inner`, made a deferral where its confidence is under the floor."""
        found = Verdict(self.kind, Ruling.NOT_APPLICABLE) if self.inner is None else await self.inner.judge(draft)
        floor = self.floor()
        if found.ruling in (Ruling.DEFER, Ruling.UNABLE) or (found.confidence is not None and found.confidence >= floor) or floor <= 0.0:
            return found
        if found.confidence is None and floor < ESCALATE_ALL:
            return found
        return replace(found, ruling=Ruling.DEFER, reason=f"the watcher tightened this route: confidence under {min(floor, 1.0):.3f}")


def tightened(verifiers: Sequence[Verifier], floor: Callable[[], float]) -> tuple[Verifier, ...]:
    """The verifiers of a watched route: those with a confidence are held to the floor; where there is none, one more stands at the end."""
    held = tuple(Tightened(floor, verifier) if verifier.kind == Tightened.kind else verifier for verifier in verifiers)
    return held if any(verifier.kind == Tightened.kind for verifier in verifiers) else (*held, Tightened(floor))
