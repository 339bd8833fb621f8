"""Counters are read over and over; what stands still at a slow reader was not measured."""

from dataclasses import dataclass

import pytest

from router.types import EnergyMethod
from server.observers.energy.ledger import Lane, Ledger
from server.observers.energy.watch import Counter


@dataclass(slots=True)
class Exporter:
    """Tells these joules one after the other; its GPU draws 100 W."""

    told: list[float]
    method: EnergyMethod = "dcgm"
    fresh: float | None = None

    def joules(self) -> float:
        return self.told.pop(0)

    def close(self) -> None:
        """Nothing is open."""


async def test_an_exporter_that_collects_seldom_charges_no_call_with_what_others_drew() -> None:
    now = 0.0
    ledger = Ledger(every=1.0, lanes={"llm": Lane()})
    counter = Counter("gpu", Exporter([0.0, 0.0, 0.0, 300.0, 300.0, 300.0, 600.0, 600.0]), ledger, lambda: now)
    charged: list[float | None] = []
    for _ in range(7):
        await counter.read_aside()
        call = ledger.begin("llm", now)
        now += 1.0
        charged.append(ledger.end(call, 10, now))
    assert charged == [None, None, None, *[pytest.approx(100.0)] * 4]
