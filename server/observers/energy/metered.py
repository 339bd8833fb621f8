"""An engine whose calls are metered: what they take by its counters stands on their receipts when they end."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from router.ports import Engine
from router.types import Chunk, Contract, Energy, EnergyMethod, EngineCall, Receipt, Usage
from server.observers.energy.ledger import Call, Ledger


class Meter(Protocol):
    """One counter as a call sees it."""

    ledger: Ledger

    def catch_up(self, now: float) -> None:
        """Read the counter if that is quick."""
        ...

    def note(self, receipt: Receipt, amount: float) -> None: ...


@dataclass(slots=True)
class Joules:
    """A counter of energy; `read` reads it into the ledger."""

    ledger: Ledger
    method: EnergyMethod
    read: Callable[[float], None]
    fresh: float | None = None

    def catch_up(self, now: float) -> None:
        if self.fresh is not None and self.ledger.stale(now, self.fresh):
            self.read(now)

    def note(self, receipt: Receipt, amount: float) -> None:
        """An engine may have several counters, as one for its GPU and one for its CPU."""
        found = Energy(amount, self.method)
        receipt.energy = found if receipt.energy is None else receipt.energy + found


@dataclass(slots=True)
class Rent:
    """A machine that costs `hour` dollars an hour, busy or idle.

    The counter is the clock, at hour/3600 dollars a second. The calls that run share every second of it by their tokens, so that a call
    costs hour/3600 x the seconds it ran alone, or its part of the seconds that it shared; a token therefore costs hour over the tokens that
    the machine makes in an hour at the throughput it has now. Seconds in which nothing ran are idle: nobody's, and reported apart.
    """

    ledger: Ledger
    hour: float
    idled: Callable[[float], None] = lambda dollars: None

    def catch_up(self, now: float) -> None:
        if idle := self.ledger.read(now * self.hour / 3600, now):
            self.idled(idle)

    def note(self, receipt: Receipt, amount: float) -> None:
        receipt.dollars = amount


@dataclass(slots=True, eq=False)
class MeteredEngine:
    """The engine itself, but that it fills in receipts; a token of the prompt weighs `prompt_weight` of one that was generated."""

    engine: Engine
    meters: tuple[Meter, ...]
    clock: Callable[[], float]
    prompt_weight: float = 0.1
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.engine.name

    async def stream(self, call: EngineCall) -> AsyncGenerator[Chunk, None]:
        """As the engine streams; the receipt is written when it has ended, however it did."""
        now = self.clock()
        opened = [(meter, meter.ledger.begin(self.name, now)) for meter in self.meters]
        shown, usage = 0, None
        try:
            async with aclosing(self.engine.stream(call)) as chunks:
                async for chunk in chunks:
                    usage = chunk.usage or usage
                    made = len(chunk.tokens) or (chunk.pieces if chunk.text else 0)
                    shown += made
                    if made and chunk.finish_reason is None:
                        for meter, running in opened:
                            meter.ledger.show(running, made)
                    yield chunk
        finally:
            self._settle(opened, self._weighed(usage, shown), call.receipt)

    def prompt_tokens(self, call: EngineCall) -> int:
        return self.engine.prompt_tokens(call)

    def supports(self, contract: Contract) -> bool:
        return self.engine.supports(contract)

    async def healthy(self) -> bool:
        return await self.engine.healthy()

    async def close(self) -> None:
        await self.engine.close()

    def _weighed(self, usage: Usage | None, shown: int) -> float:
        if usage is None:
            return float(shown)
        return usage.completion_tokens + self.prompt_weight * max(0, usage.prompt_tokens - usage.cached_tokens)

    def _settle(self, opened: list[tuple[Meter, Call]], tokens: float, receipt: Receipt) -> None:
        now = self.clock()
        for meter, running in opened:
            meter.catch_up(now)
            amount = meter.ledger.end(running, tokens, now)
            if amount is not None:
                meter.note(receipt, amount)
