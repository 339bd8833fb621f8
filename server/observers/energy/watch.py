"""Reads counters over and over in the background of the event loop, and tells what was idle."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.observers.energy.crowd import Crowd
from server.observers.energy.ledger import Ledger
from server.observers.energy.readers import Reader, Unreadable


@dataclass(slots=True)
class Counter:
    """A reader and its ledger; `idled` hears joules that nobody ran for, `log` when the counter cannot be read and when it can again."""

    name: str
    reader: Reader
    ledger: Ledger
    clock: Callable[[], float]
    idled: Callable[[float], None] = lambda joules: None
    log: Callable[[str], object] = lambda sentence: None
    _lost: bool = False
    _stood: float | None = None

    def read(self, now: float) -> None:
        """Read it here and now."""
        try:
            joules = self.reader.joules()
        except Unreadable as loss:
            self._lose(loss)
            return
        self._take(joules, now)

    async def read_aside(self) -> None:
        """Read it in a thread. A GPU always draws: a counter that stands was not updated, which an exporter may do but twice a minute."""
        try:
            joules = await asyncio.to_thread(self.reader.joules)
        except Unreadable as loss:
            self._lose(loss)
            return
        if joules != self._stood:
            self._stood = joules
            self._take(joules, self.clock())

    def _take(self, joules: float, now: float) -> None:
        if self._lost:
            self._lost = False
            self.log(f"energy: {self.name} is read again")
        if idle := self.ledger.read(joules, now):
            self.idled(idle)

    def _lose(self, loss: Unreadable) -> None:
        if not self._lost:
            self._lost = True
            self.log(f"energy: {self.name} cannot be read: {loss}")


LOOK = 0.02
"""Seconds between two looks at who runs in the other processes: what they began and ended in between is taken as it is at its end."""


@dataclass(slots=True)
class Watch:
    """All counters, each read every `ledger.every` seconds from `start` to `close`; `ticks` are called with the time once a second.

    `shared` are the ledgers whose counter other processes have calls on, too.
    """

    counters: Sequence[Counter]
    crowds: Sequence[Crowd] = ()
    shared: Sequence[Ledger] = ()
    ticks: Sequence[Callable[[float], object]] = ()
    clock: Callable[[], float] = time.monotonic
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Read what is quick once, then go on in the background of the running event loop."""
        self._look()
        for counter in self.counters:
            if counter.reader.fresh is not None:
                counter.read(counter.clock())
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._follow(counter)) for counter in self.counters]
        self._tasks.append(loop.create_task(self._tick()))
        if self.shared:
            self._tasks.append(loop.create_task(self._look_often()))

    async def close(self) -> None:
        """Read no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for counter in self.counters:
            counter.reader.close()
        for crowd in self.crowds:
            crowd.close()

    async def _follow(self, counter: Counter) -> None:
        while True:
            if counter.reader.fresh is None:
                await counter.read_aside()
            else:
                counter.read(counter.clock())
            await asyncio.sleep(counter.ledger.every)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._look()

    async def _look_often(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            for ledger in self.shared:
                ledger.look(self.clock())

    def _look(self) -> None:
        for crowd in self.crowds:
            crowd.refresh()
        for tick in self.ticks:
            tick(self.clock())
