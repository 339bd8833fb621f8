"""What a call takes: tokens, joules, dollars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from functools import reduce
from typing import Literal, get_args

from router.types.records import record


@record(frozen=True, slots=True)
class Usage:
    """Tokens as the engine counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


EnergyMethod = Literal["nvml", "dcgm", "rapl", "estimated"]
"""How joules became known, from the surest to the least sure."""


@record(frozen=True, slots=True)
class Energy:
    """Joules, and how they became known."""

    joules: float
    method: EnergyMethod

    def __add__(self, other: Energy) -> Energy:
        """A sum is only as sure as the least sure of its parts."""
        return Energy(self.joules + other.joules, max(self.method, other.method, key=get_args(EnergyMethod).index))


def together(parts: Iterable[Energy | None]) -> Energy | None:
    """Their sum; `None` where any of them is unknown, or where there are none."""
    known: list[Energy] = []
    for part in parts:
        if part is None:
            return None
        known.append(part)
    return reduce(Energy.__add__, known) if known else None


@record(slots=True)
class Receipt:
    """What a call took by the meters of its engine, written when it ends; `None` where there is no meter. `dollars` are of machine time."""

    energy: Energy | None = None
    dollars: float | None = None


@record(slots=True)
class Tab:
    """What others were asked and took so far: it is owed although nobody waits for what they say any more. `cost` is in dollars."""

    cost: float = 0.0
    usage: Usage = field(default=Usage())
    energies: list[Energy | None] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing stands on it."""
        return not self.cost and not self.energies

    def add(self, cost: float, usage: Usage | None = None, energy: Energy | None = None) -> None:
        """One question more; only what was asked of a model has a usage, and maybe an energy."""
        self.cost += cost
        if usage is not None:
            self.usage += usage
            self.energies.append(energy)

    @property
    def settled(self) -> Aside:
        """As of now, to keep."""
        return Aside(self.cost, self.usage, tuple(self.energies))


@record(frozen=True, slots=True)
class Aside:
    """What a request took beside its attempts and their verifiers: guards and rankers. `energies` has one for each question to a model."""

    cost: float = 0.0
    usage: Usage = field(default=Usage())
    energies: tuple[Energy | None, ...] = ()


@record(frozen=True, slots=True)
class Price:
    """Dollars per million tokens, or, where `hour` is given, per hour of the machine that the calls share.

    `cached` is for prompt tokens that the engine had in its cache, `None` where they cost what others do.
    """

    prompt: float = 0.0
    completion: float = 0.0
    hour: float | None = None
    cached: float | None = None

    def of(self, usage: Usage, receipt: Receipt | None = None) -> float:
        """Dollars for the usage; by the hour they are what the receipt says, 0.0 where the machine's time was not metered."""
        if self.hour is not None:
            return 0.0 if receipt is None else receipt.dollars or 0.0
        dear = usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion
        if self.cached is not None:
            dear -= min(usage.cached_tokens, usage.prompt_tokens) * (self.prompt - self.cached)
        return dear / 1e6
