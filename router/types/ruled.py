"""What is said of a draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Literal

from router.types.asked import GenerationRequest, Violation
from router.types.calls import Choice
from router.types.metered import Energy, Tab, Usage
from router.types.records import record

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


class Ruling(StrEnum):
    """What a verifier says of a draft; the two abstentions differ: `UNABLE` should have ruled and could not."""

    ACCEPT = "accept"
    DEFER = "defer"
    NOT_APPLICABLE = "not_applicable"
    UNABLE = "unable"

    __hash__ = str.__hash__  # that of an enum is a call of Python, and another one than that of the word that it equals


@record(slots=True)
class Notes:
    """What is known of a draft by now; `violations` are those of its contract, `None` where nobody has looked."""

    violations: tuple[Violation, ...] | None = None


@record(frozen=True, slots=True)
class Draft:
    """A finished choice that a verifier is asked about, with the request that it answers.

    What a verifier spends it puts on the `tab`; what it found that others would look for too stands in the `notes`.
    """

    request: GenerationRequest
    tier: str
    choice: Choice
    samples: tuple[Choice, ...] = ()
    repairs: int = 0
    last: bool = False
    tab: Tab = field(default_factory=Tab, compare=False, repr=False)
    notes: Notes = field(default_factory=Notes, compare=False, repr=False)


@record(frozen=True, slots=True)
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
