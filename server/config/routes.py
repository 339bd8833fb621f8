"""Routes: what a cascade is made of and what it is held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from router.calibration.examples import FEWEST
from server.config.plain import Dollars, Name, Ratio, Strict
from server.config.tiers import TierSettings, TokenPrice


class ComponentSettings(BaseModel):
    """A verifier or a guard by its kind; the other keys are its own options and checked by it."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str

    @property
    def options(self) -> dict[str, object]:
        """Everything, `kind` included, as the registry takes it."""
        return self.model_dump()


class Target(Strict):
    """What the thresholds of this route must have been fitted to: the share of wrong answers kept, and how sure that bound is.

    With `max_cost` the best quality at a mean cost of so many dollars a request, and no promise on the error.
    """

    max_error: float = Field(default=0.05, gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    max_cost: float | None = Field(default=None, gt=0)


class StricterTarget(Strict):
    """A target that a task or a key may demand, with the calibration that was fitted to it."""

    max_error: float = Field(gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    calibration: str


class BudgetSettings(Strict):
    """What one request may spend: dollars, seconds, attempts (by default twice its tiers and `repair` more)."""

    max_cost: Dollars | None = None
    deadline: float | None = Field(default=None, gt=0)
    max_attempts: int | None = Field(default=None, ge=1)


class TaskSettings(Strict):
    """What a request is held to that names this task in its metadata; it can only tighten what the route allows."""

    tiers: frozenset[str] | None = Field(default=None, min_length=1)
    target: Name | None = None
    residency: Literal["inside"] | None = None
    budget: BudgetSettings = BudgetSettings()


class EarlyAbort(Strict):
    """Which drafts of a smaller tier are stopped while they run, besides those that can no longer keep their contract.

    `limit` is their least running mean log-probability in nats once `after` tokens came, `tokens` how many they may have.
    """

    limit: float | None = Field(default=None, le=0)
    after: int = Field(default=8, ge=1, le=4096)
    tokens: int | None = Field(default=None, ge=1)


class RecalibrateSettings(Strict):
    """Fit again from the labels of the last `days`, every `hours` (never by itself unless given), once there are `least` of them."""

    hours: float | None = Field(default=None, gt=0)
    days: float = Field(default=30.0, gt=0)
    least: int = Field(default=500, ge=FEWEST)
    source: Literal["audit", "feedback", "gold", "all"] = "audit"


class AuditJudgeSettings(Strict):
    """The engine that compares prose in audits, which structure cannot; `timeout` in seconds."""

    engine: str
    price: TokenPrice
    timeout: float = Field(default=30.0, gt=0, le=600)
    max_tokens: int = Field(default=160, ge=32, le=4096)


class RetrieverSettings(Strict):
    """The engine whose vectors say which of many tools a small tier is shown; `timeout` in seconds, after which words decide.

    An engine `outside` is never asked about requests that must stay inside.
    """

    engine: str
    price: TokenPrice
    timeout: float = Field(default=2.0, gt=0, le=60)
    location: Literal["inside", "outside"] = "inside"


class RouteSettings(Strict):
    """A named cascade: tiers from small to large, verifiers from cheap to dear.

    Under `commit: gated` prose is shown after `gate_tokens` tokens whose mean log-probability is at least `gate_limit` nats (by default
    the confidence verifier judges them). `early_abort` stops drafts that have become hopeless, upstream too. After `keepalive_after`
    seconds without an answer a stream is opened with a comment. `residency: inside` closes every tier, judge and service outside; a
    request can ask for the same by `metadata: {"residency": "inside"}`, and never for less. Of `budget.deadline` the last `reserve`
    seconds (half of it) are the last tier's alone. A draft that is not shown as it comes and takes longer than `hedge_after` seconds
    gets the next tier as its rival: the first answer that is kept wins, both are paid for. `targets` are
    stricter than `target`; `tasks` say what requests are held to that name one by `metadata: {"task": …}`. `retriever` ranks many tools.
    `max_concurrency` bounds what is in flight on this route in a process.
    """

    mode: Literal["off", "shadow", "evaluate", "active"] = "active"
    commit: Literal["verified", "gated"] = "verified"
    gate_tokens: int = Field(default=24, ge=1, le=4096)
    gate_limit: float | None = Field(default=None, le=0)
    early_abort: bool | EarlyAbort = False
    residency: Literal["inside"] | None = None
    reserve: float | None = Field(default=None, ge=0)
    hedge_after: float | None = Field(default=None, gt=0)
    max_concurrency: int | None = Field(default=None, ge=1)
    keepalive_after: float | None = Field(default=None, gt=0)
    tiers: tuple[TierSettings, ...] = Field(min_length=1)
    guards: tuple[ComponentSettings, ...] = ()
    verifiers: tuple[ComponentSettings, ...] = ()
    target: Target = Target()
    targets: Mapping[Name, StricterTarget] = {}
    tasks: Mapping[Name, TaskSettings] = {}
    repair: int = Field(default=1, ge=0, le=8)
    when_all_abstain: Literal["defer", "accept"] = "defer"
    when_exhausted: Literal["best", "error"] = "best"
    retriever: RetrieverSettings | None = None
    audit: Ratio = 0.0
    audit_judge: AuditJudgeSettings | None = None
    recalibrate: RecalibrateSettings = RecalibrateSettings()
    budget: BudgetSettings = BudgetSettings()

    @property
    def stricter(self) -> tuple[tuple[str, StricterTarget], ...]:
        """The stricter targets by name, from loose to strict."""
        return tuple(sorted(self.targets.items(), key=lambda named: (-named[1].max_error, named[1].confidence)))

    @property
    def hopeless(self) -> EarlyAbort | None:
        """When a draft is given up, `None` for never."""
        if isinstance(self.early_abort, EarlyAbort):
            return self.early_abort
        return EarlyAbort() if self.early_abort else None
