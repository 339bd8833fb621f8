"""Audits: a random share of the kept answers is also asked of the last permitted tier, after the client has its answer.

Which ones is decided by the request's id and a seed alone, never by the answer, so that weight 1/rate makes their labels speak of all
kept answers. The last permitted tier is the one of the request's own decision: where residency, context or modality closed it, there is no
audit.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from router.attempting import Running
from router.calibration.comparing import same
from router.opening import lasting
from router.ports import Engine
from router.route import Route
from router.types import Attempt, Choice, Energy, EngineCall, GenerationRequest, Outcome, Tab, Tier, Usage
from server.observers.outcomes.content import said
from server.observers.outcomes.encoding import dumped, usage
from server.observers.outcomes.labelling import audit
from server.observers.outcomes.ports import Label


class Judge(Protocol):
    """Compares prose, which structure cannot: how right the kept answer is (0..1, `None`: cannot tell); what that took is on the tab."""

    async def __call__(self, request: GenerationRequest, kept: Choice, reference: Choice, tab: Tab) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told what: labels; dollars and tokens by route and tier; joules by tier; audits that came to nothing, by route and why."""

    label: Callable[[Label], None]
    cost: Callable[[str, str, float], None] = lambda route, tier, dollars: None
    missed: Callable[[str, str], None] = lambda route, reason: None
    energy: Callable[[str, Energy], None] = lambda tier, energy: None
    tokens: Callable[[str, str, Usage], None] = lambda route, tier, usage: None


@dataclass(frozen=True, slots=True)
class Audited:
    """A route under audit, as it is when asked: `rate` is the share of its kept answers."""

    route: Callable[[], Route]
    rate: float
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """An answer that waits for its audit; `call` is what `tier` is asked, `at` when the answer was given, in seconds since the epoch."""

    request: GenerationRequest
    outcome: Outcome
    kept: Attempt
    tier: Tier
    call: EngineCall
    at: float


@dataclass(slots=True)
class Auditor:
    """Observes outcomes and audits them in the background of the event loop: `concurrency` at a time, `queue` may wait, the rest is missed.

    Each waits `delay` seconds first, so that the response is on its way, and takes at most `seconds`; `content` says whether the second
    answer's text is kept with the label.
    """

    routes: Mapping[str, Audited]
    engines: Mapping[str, Engine]
    heard: Heard
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    seed: str = ""
    content: bool = False
    concurrency: int = 2
    queue: int = 256
    seconds: float = 60.0
    delay: float = 0.1
    _waiting: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _slots: asyncio.Semaphore | None = field(default=None, init=False)

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Draw lots for an outcome; only in a running event loop."""
        under = self.routes.get(outcome.route)
        kept = outcome.kept
        if under is None or kept is None or not eligible(request, outcome) or not drawn(outcome.request_id, under.rate, self.seed):
            return
        if len(self._waiting) >= self.queue:
            self.heard.missed(outcome.route, "queue_full")
            return
        chosen = Chosen(request, outcome, kept, *self._asked(under.route(), request, outcome), self.wall())
        task = asyncio.get_running_loop().create_task(self._audit(under, chosen))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self, deadline: float = 5.0) -> None:
        """Finish what is under way, for at most `deadline` seconds, and stop the rest."""
        if not self._waiting:
            return
        _, left = await asyncio.wait(self._waiting, timeout=deadline)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def idle(self) -> None:
        """Return when no audit is under way."""
        while self._waiting:
            await asyncio.wait(self._waiting)

    async def _audit(self, under: Audited, chosen: Chosen) -> None:
        self._slots = self._slots or asyncio.Semaphore(self.concurrency)
        await asyncio.sleep(self.delay)
        async with self._slots:
            second = await self._second(chosen)
        self._spent(chosen.outcome.route, second)
        if second.generation is None:
            self.heard.missed(chosen.outcome.route, second.failure.code if second.failure else "engine_error")
            return
        tab = Tab()
        try:
            correct = await _compared(under, chosen, second.generation.choices[0], tab)
        finally:
            self._owed(chosen.outcome.route, second.tier, tab)
        if correct is None:
            self.heard.missed(chosen.outcome.route, "incomparable")
            return
        self.heard.label(self._label(under, chosen, second, correct, tab.cost))

    def _asked(self, route: Route, request: GenerationRequest, outcome: Outcome) -> tuple[Tier, EngineCall]:
        """The last tier and the very call that the cascade would have made of it; made before this answer is an example to any."""
        tier = route.named[outcome.decision.permitted[-1]]
        rung, _ = lasting(route, tier, replace(request, stream=False), self.engines[tier.engine])
        call = rung.call(request.messages, self.seconds)
        return tier, replace(call, request_id=f"{request.id}-audit")

    async def _second(self, chosen: Chosen) -> Attempt:
        running = Running(chosen.tier, "try", self.engines[chosen.tier.engine], chosen.call, self.clock, self.clock())
        try:
            await running.drain()
        except asyncio.CancelledError:
            self._spent(chosen.outcome.route, running.attempt(cancelled=True))
            raise
        return running.attempt(running.generation)

    def _spent(self, route: str, attempt: Attempt) -> None:
        self.heard.cost(route, attempt.tier, attempt.cost)
        self.heard.tokens(route, attempt.tier, attempt.usage)
        if attempt.energy is not None:
            self.heard.energy(attempt.tier, attempt.energy)

    def _owed(self, route: str, tier: str, tab: Tab) -> None:
        if tab.cost:
            self.heard.cost(route, tier, tab.cost)
        self.heard.tokens(route, tier, tab.usage)
        for energy in filter(None, tab.energies):
            self.heard.energy(tier, energy)

    def _label(self, under: Audited, chosen: Chosen, second: Attempt, correct: float, cost: float) -> Label:
        generation = second.generation
        found: dict[str, object] = {"usage": usage(second.usage), "seconds": round(second.seconds, 6)}
        if generation is not None:
            found["finish_reason"] = generation.choices[0].finish_reason
            found |= said(chosen.request.contract, generation.choices[0]) if self.content else {}
        weight, spent = 1.0 / under.rate, second.cost + cost
        label = audit(
            chosen.request, chosen.outcome, chosen.kept, chosen.at, correct=correct, weight=weight, cost=spent, detail=dumped(found)
        )
        return replace(label, at=self.wall())


def eligible(request: GenerationRequest, outcome: Outcome) -> bool:
    """Whether an audit could say anything: one answer, kept on a tier with another above it that this request may use."""
    kept = outcome.kept
    if kept is None or kept.generation is None or outcome.code != "ok" or request.pinned is not None:
        return False
    return len(kept.generation.choices) == 1 and kept.deferral is None and kept.tier != outcome.decision.permitted[-1]


def drawn(request_id: str, rate: float, seed: str = "") -> bool:
    """Whether the lot of this request falls; the same for every worker and every run."""
    lot = int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8, key=seed.encode()[:64]).digest())
    return lot < rate * 2**64


async def _compared(under: Audited, chosen: Chosen, reference: Choice, tab: Tab) -> float | None:
    generation = chosen.kept.generation
    kept = generation.choices[0] if generation else reference
    agreed = same(chosen.request.contract, kept, reference)
    if agreed is not None:
        return float(agreed)
    if chosen.request.contract.kind != "none" or under.judge is None:
        return None
    return await under.judge(chosen.request, kept, reference, tab)
