"""Argument values that do not stand in the request: an invented string is almost always a wrong one."""

from dataclasses import dataclass
from typing import ClassVar

from router.calibration.asked import asked
from router.calibration.grounding import grounding_features
from router.calibration.reading import read
from router.registry import scores
from router.types import Draft, Evidence


@scores.register("ungrounded")
@dataclass(frozen=True, slots=True)
class Ungrounded:
    """Needs no evidence at all; an answer without arguments has nothing to measure."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence:
        """Nothing."""
        return Evidence.NONE

    def measure(self, draft: Draft) -> float | None:
        """The number of invented strings and numbers, plus the share of the request's words left over."""
        reading = read(draft.request.contract, draft.choice)
        if not reading.calls:
            return None
        found = grounding_features(asked(draft.request), reading.calls)
        return found.get("strings_invented", 0.0) + found.get("figures_invented", 0.0) + found["left_share"]
