"""What is said of a draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from router.types.asked import GenerationRequest, Violation
from router.types.calls import Choice
from router.types.metered import Energy, Tab, Usage

Reason = Literal[
    "contract",
    "function",
    "confidence",
    "grounded",
    "agreement",
    "judge",
    "rule",
    "guard",
    "abstain",
    "length",
    "engine_error",
    "timeout",
    "context",
    "modality",
    "gate",
    "breaker_open",
    "residency",
]
"""Why a draft was not kept or a tier not tried: the closed set that headers, metrics and logs share."""


class Ruling(Enum):
    """What a verifier says of a draft; the two abstentions differ: `UNABLE` should have ruled and could not."""

    ACCEPT = "accept"
    DEFER = "defer"
    NOT_APPLICABLE = "not_applicable"
    UNABLE = "unable"


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished choice that a verifier is asked about, with the request that it answers; what a verifier spends it puts on the `tab`."""

    request: GenerationRequest
    tier: str
    choice: Choice
    samples: tuple[Choice, ...] = ()
    repairs: int = 0
    last: bool = False
    tab: Tab = field(default_factory=Tab, compare=False, repr=False)

    def on(self, tab: Tab) -> Draft:
        """The same draft for a verifier that writes on its own tab."""
        return Draft(self.request, self.tier, self.choice, self.samples, self.repairs, self.last, tab)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one verifier said of one draft; `confidence` is P(correct) where it has one, `cost` in dollars.

    A deferral that is `repairable` names violations that the same tier may mend when it is told of them. `features` are the named numbers
    that a learned confidence was made of.
    """

    verifier: str
    ruling: Ruling
    reason: str = ""
    confidence: float | None = None
    cost: float = 0.0
    violations: tuple[Violation, ...] = ()
    score: float | None = None
    usage: Usage = field(default=Usage())
    energy: Energy | None = None
    repairable: bool = False
    features: Mapping[str, float] | None = None


HARD_GATES = frozenset({"contract", "function", "guard"})
"""Verifiers that rule on the last permitted tier too."""
