"""Disagreement with further samples by parsed structure (self-consistency, arXiv 2203.11171; clusters of meaning, arXiv 2302.09664)."""

from dataclasses import dataclass
from typing import ClassVar

from router.calibration.agreement import alike
from router.registry import scores
from router.types import Draft, Evidence


@scores.register("agreement")
@dataclass(frozen=True, slots=True)
class Agreement:
    """Text that differs only in key order, spaces, letter case or 5 against 5.0 agrees."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence:
        """At least one further sample."""
        return Evidence.SAMPLES

    def measure(self, draft: Draft) -> float | None:
        """One less the mean likeness of the samples to the draft, 0 to 1."""
        contract = draft.request.contract
        found = [alike(contract, draft.choice, sample) for sample in draft.samples]
        return 1.0 - sum(found) / len(found) if found else None
