"""The loop: decide, try, verify, keep or climb; one commit point, one outcome, and JSON is a fold of the stream."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal, Self

from router.attempting import Running
from router.errors import ClientGone, SmallfirstError
from router.events import Committed, Delta, Event, Finished
from router.gated import Gated, length
from router.hedging import race
from router.opening import Opening
from router.policy import GiveUp, Repair, Return, Step, Try, next_step, rival, settles, time_left
from router.ports import Engine
from router.repair import complaint
from router.route import Route
from router.rung import Rung
from router.types import (
    Attempt,
    Chunk,
    Draft,
    GenerationRequest,
    Message,
    Outcome,
    Verdict,
)
from router.types.records import record


@dataclass(frozen=True, slots=True)
class Cascade:
    """Runs requests over one route; `observe` sees every outcome exactly once, cancelled and failed ones too. `clock` is in seconds.

    `usual` is how many seconds a tier's answers take of late, `language` the one that a text is in, `None` where that is not known.
    """

    route: Route
    engines: Mapping[str, Engine]
    clock: Callable[[], float]
    observe: Callable[[GenerationRequest, Outcome], None] = field(default=lambda request, outcome: None)
    available: Callable[[str], bool] = field(default=lambda engine: True)
    usual: Callable[[str], float | None] = field(default=lambda tier: None)
    language: Callable[[str], str | None] = field(default=lambda text: None)

    async def run(self, request: GenerationRequest) -> Finished:
        """The whole answer at once: the same climb, of which nothing is seen on the way."""
        with _Run(self, request, self.clock()) as run:
            while isinstance(step := await run.step(), (Try, Repair)):
                await run.take(step)
            return run.ended(step)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Nothing before `Committed`, nothing after `Finished`; a request that fails has no `Committed`, or an error in its `Finished`."""
        with _Run(self, request, self.clock()) as run:
            while isinstance(step := await run.step(), (Try, Repair)):
                if isinstance(step, Repair) or (shown := run.shown(step.tier)) is None:
                    await run.take(step)
                    continue
                async with aclosing(shown) as events:
                    async for event in events:
                        yield event
                if run.finished is not None:
                    return
            if isinstance(step, Return):
                yield run.committed(step.index)
            yield run.ended(step)


@record(slots=True)
class _Run:
    """One request on its way up."""

    cascade: Cascade
    request: GenerationRequest
    started: float
    attempts: list[Attempt] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    first_token: float | None = None
    finished: Finished | None = None
    opening: Opening = field(init=False)
    rungs: dict[str, Rung] = field(default_factory=dict)
    """Of the tiers that were begun on."""

    def __enter__(self) -> Self:
        known = self.cascade  # of which alone the opening knows: with this run it would make a ring, freed by the garbage collector alone
        self.opening = Opening(
            known.route, known.engines, self.request, known.clock, self.started, known.available, known.usual, known.language
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Tell what came of it: whoever leaves before the end has gone away, unless that is a bug."""
        code = SmallfirstError.code if isinstance(error, Exception) else ClientGone.code
        self.cascade.observe(self.request, self.finished.outcome if self.finished else self.outcome(code=code))

    async def step(self) -> Step:
        """What comes next; where a gate objects to the answer, another is the best, or none."""
        if not self.attempts:
            try:
                await self.opening.settle()
            except SmallfirstError as refusal:
                return GiveUp(refusal)
        step = self._next()
        while isinstance(step, Return) and self.attempts[step.index].deferral is not None and not await self._stands(step.index):
            step = self._next()
        return step

    async def take(self, step: Try | Repair) -> None:
        """A whole draft, judged; a try has a rival where it takes long, unless it is a shadowed one, for which nobody waits."""
        tier, route = step.tier, self.cascade.route
        hedged = route.rules.hedge_after is not None and route.mode != "shadow"
        if isinstance(step, Repair):
            running = self._start(tier, "repair", complaint(self.request.messages, self.attempts[-1]))
        elif hedged and (above := rival(self.request, self.opening.decision, self.attempts, tier, route.rules)):
            return await self._hedged(tier, above)
        else:
            running = self._start(tier, "try", self.request.messages)
        self.attempts.append(await self._drafted(running))
        return None

    def shown(self, tier: str) -> AsyncGenerator[Event, None] | None:
        """A try whose text is seen before it is whole; `None` where it must be judged first."""
        rung = self._rung(tier)
        if rung.live:
            return self._live_attempt(tier)
        return None if rung.gate is None else self._gated_attempt(tier, rung.gate)

    def committed(self, index: int) -> Committed:
        """The attempt of this index is the answer."""
        self.first_token = self._elapsed()
        return Committed(self.attempts[index].tier, self.outcome(answer=index), self.attempts[index].generation)

    def ended(self, step: Return | GiveUp) -> Finished:
        """The last event: the answer, or the error in its place."""
        if isinstance(step, Return):
            self.finished = Finished(self.outcome(answer=step.index), self.attempts[step.index].generation)
        else:
            self.finished = Finished(self.outcome(code=step.error.code), error=step.error)
        return self.finished

    def outcome(self, *, answer: int | None = None, code: str = "ok") -> Outcome:
        """The record as of now; an attempt still running stands in it as a cancelled one."""
        pending = [running.attempt(cancelled=True) for running in self.running] if self.running else []
        return Outcome(
            self.request.id,
            self.cascade.route.name,
            self.opening.decision,
            (*self.attempts, *pending),
            answer,
            code,
            self._elapsed(),
            self.first_token if self.request.stream else None,
            self.opening.asked.settled,
            self.request.stream,
        )

    def _next(self) -> Step:
        budget, route = self.request.budget, self.cascade.route
        spent = 0.0 if budget.max_cost is None else self._spent()
        elapsed = 0.0 if budget.deadline is None else self._elapsed()
        shadow = route.mode == "shadow"
        rules = replace(route.rules, when_exhausted="error") if shadow else route.rules
        step = next_step(self.request, self.opening.decision, self.attempts, rules, spent=spent, elapsed=elapsed)
        return self._shadowed(step) if shadow else step

    def _spent(self) -> float:
        verdicts = [verdict.cost for attempt in self.attempts for verdict in attempt.verdicts]
        return self.opening.asked.cost + sum([attempt.cost for attempt in self.attempts]) + sum(verdicts)

    async def _stands(self, index: int) -> bool:
        """Whether no hard gate objects to an answer that was deferred: where a soft verifier did so, it may not have met all of them."""
        attempt = self.attempts[index]
        if attempt.generation is None:
            return True

        def note(verdict: Verdict) -> None:
            known = self.attempts[index]
            self.attempts[index] = replace(known, verdicts=(*known.verdicts, verdict))

        await self._rung(attempt.tier).gates(attempt, attempt.generation, self._repairs(attempt.tier, before=index), note)
        return self.attempts[index].satisfies_contract

    def _shadowed(self, step: Step) -> Step:
        """What would have been given or refused stands in the record; the last tier answers all the same, and nobody in its place."""
        last = self.opening.decision.permitted[-1]
        ends = isinstance(step, Return | GiveUp)
        return Try(last) if ends and all(attempt.tier != last for attempt in self.attempts) else step

    async def _drafted(self, running: Running) -> Attempt:
        """A whole draft, judged."""
        await running.drain(self.rungs[running.tier.name].early)
        return await self._known(running)

    async def _hedged(self, tier: str, above: str) -> None:
        """Both tiers draft, the first draft that settles it stops the other and stands last in the record; else the upper tier's does."""
        started: list[Running] = []

        async def draft(of: str) -> Attempt:
            started.append(self._start(of, "try", self.request.messages))
            return await self._drafted(started[-1])

        drafts = await race(lambda: draft(tier), lambda: draft(above), self.cascade.route.rules.hedge_after or 0.0, settles)
        found = [self._stopped(running) if done is None else done for running, done in zip(started, drafts, strict=True)]
        winner = min(filter(settles, found), key=lambda attempt: attempt.deferral is None, default=None)
        losers = [attempt for attempt in found if attempt is not winner]
        late = [replace(attempt, cancelled=attempt.cancelled or attempt.deferral is None) for attempt in losers]
        self.attempts += late if winner is None else [*late, winner]

    def _stopped(self, running: Running) -> Attempt:
        self.running.remove(running)
        return running.attempt(cancelled=True)

    async def _live_attempt(self, tier: str) -> AsyncGenerator[Event, None]:
        """Text shown as it comes; a failure before the first of it is an attempt like any other, and nothing was committed."""
        running = self._start(tier, "try", self.request.messages)
        async with aclosing(running):
            while (chunk := await running.next()) is not None:
                if self.first_token is None:
                    self.first_token = self._elapsed()
                    yield Committed(tier, self.outcome())
                yield Delta(chunk)
        self.attempts.append(await self._known(running))
        if self.first_token is not None:
            yield self._ended(running)

    async def _gated_attempt(self, tier: str, gated: Gated) -> AsyncGenerator[Event, None]:
        """Prose whose beginning is held back and judged, then live; what ends before its gate is judged whole, as any draft is."""
        running = self._start(tier, "try", self.request.messages)
        held: list[Chunk] = []
        async with aclosing(running):
            while (chunk := await running.next()) is not None:
                if self.first_token is not None:
                    yield Delta(chunk)
                    continue
                held.append(chunk)
                if length(held) < gated.tokens or running.finished:
                    continue
                if not await self._passes(running, gated):
                    break
                self.first_token = self._elapsed()
                yield Committed(tier, self.outcome())
                for early in held:
                    yield Delta(early)
        if running.early is None:
            self.attempts.append(await self._known(running))
            return
        self.attempts.append(running.attempt(running.generation))
        self.running.remove(running)
        if self.first_token is not None:
            yield self._ended(running)

    async def _passes(self, running: Running, gated: Gated) -> bool:
        tier = running.tier.name
        draft = Draft(self.request, tier, running.beginning())
        running.early = await gated.judge(self.rungs[tier].judges, draft, self.cascade.route.rules)
        return running.early.deferral is None

    def _ended(self, running: Running) -> Finished:
        return self.ended(GiveUp(running.error) if running.error else Return(len(self.attempts) - 1))

    def _start(self, tier: str, kind: Literal["try", "repair"], messages: tuple[Message, ...]) -> Running:
        rung, budget, cascade = self._rung(tier), self.request.budget, self.cascade
        limited = budget.deadline is not None
        limit = time_left(budget, self.opening.decision, tier, cascade.route.rules, self._elapsed()) if limited else None
        engine, clock = cascade.engines[rung.tier.engine], cascade.clock
        running = Running(rung.tier, kind, engine, rung.call(messages, limit), clock, clock(), origin=self.started)
        self.running.append(running)
        return running

    def _rung(self, tier: str) -> Rung:
        if (known := self.rungs.get(tier)) is None:
            route, opening = self.cascade.route, self.opening
            last = tier == opening.decision.permitted[-1]
            known = self.rungs[tier] = Rung(route, route.named[tier], self.request, last, opening.ranked, tier in opening.tight)
        return known

    async def _known(self, running: Running) -> Attempt:
        """The attempt when its engine is done, with what the verifiers say of it."""
        generation, tier = running.ended(), running.tier.name
        deferral, at_fault = None, 0
        if generation is not None:
            repairs = self._repairs(tier) if self.attempts else 0
            deferral, at_fault = await self.rungs[tier].judged(generation, repairs, running.verdicts)
        self.running.remove(running)
        return running.attempt(generation, deferral=deferral, at_fault=at_fault)

    def _repairs(self, tier: str, before: int | None = None) -> int:
        return sum([earlier.tier == tier for earlier in self.attempts[:before]])

    def _elapsed(self) -> float:
        return self.cascade.clock() - self.started
