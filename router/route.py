"""A route: the named cascade of the configuration, with its rungs, its judges and its rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from router.early import Early
from router.gated import Gated
from router.guards import PromptGuard
from router.policy import Rules
from router.ports import Verifier
from router.ranking import Ranker
from router.schemafirst import Examples
from router.types import Evidence, GenerationRequest, Tier
from router.verification import applicable, evidence

Judges = tuple[tuple[Verifier, ...], Evidence]
"""Verifiers, and what they need."""


class Difficulty(Protocol):
    """Learned before generation: whether the first tier has no chance on this request."""

    def hopeless(self, request: GenerationRequest) -> bool: ...


@dataclass(frozen=True, slots=True)
class Route:
    """`tiers` are ordered from small to large, `verifiers` from cheap to dear; `off` sends everything to the last tier.

    `shadow` tries the smaller tiers, records what would have been kept, and serves the last tier; `evaluate` serves as `active` does.
    `early` stops a draft that has become hopeless; `gated` shows prose of smaller tiers once its beginning was judged. `targets` are the
    verifiers of the stricter targets by name; `taught` and `proven` have examples for tiers that are prompted schema-first;
    `ranker` orders many tools better than their words do.
    """

    name: str
    tiers: tuple[Tier, ...]
    verifiers: tuple[Verifier, ...]
    rules: Rules = Rules()
    difficulty: Difficulty | None = None
    mode: Literal["off", "shadow", "evaluate", "active"] = "active"
    guards: tuple[PromptGuard, ...] = ()
    early: Early | None = None
    gated: Gated | None = None
    targets: Mapping[str, tuple[Verifier, ...]] = field(default_factory=dict)
    taught: Examples | None = None
    proven: Examples | None = None
    ranker: Ranker | None = None
    speaks: bool = field(init=False)
    """Whether any tier is for some languages alone."""
    live_text: bool = field(init=False)
    """Whether prose of the last tier may be shown before it is whole: only the form is checked there, and prose has none."""
    named: Mapping[str, Tier] = field(init=False, compare=False, repr=False)
    """The tiers by name."""
    candidates: tuple[Tier, ...] = field(init=False, compare=False, repr=False)
    """The tiers that an unpinned request may use at all."""
    _judges: dict[tuple[str | None, bool], Judges] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """What is the same for all requests."""
        formal = all(verifier.kind in ("contract", "function") for verifier in applicable(self.verifiers, last=True))
        object.__setattr__(self, "live_text", formal)
        object.__setattr__(self, "speaks", any(tier.languages for tier in self.tiers))
        object.__setattr__(self, "named", {tier.name: tier for tier in self.tiers})
        object.__setattr__(self, "candidates", self.tiers[-1:] if self.mode == "off" else self.tiers)

    def judges(self, target: str | None, *, last: bool) -> Judges:
        """The verifiers that keep the target and may speak, and what they need: the same for every request, and flags are added up slowly.

        The target's name comes from this route's own.
        """
        known = self._judges.get((target, last))
        if known is None:
            asked = applicable(self.verifiers if target is None else self.targets[target], last=last)
            known = self._judges[target, last] = (asked, evidence(asked))
        return known
