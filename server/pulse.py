"""Asks every engine now and then whether it is well, and tells what the answer was."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Beat:
    """One engine: does its server answer, and does it take calls (its breaker may be open)."""

    healthy: Callable[[], Awaitable[bool]]
    available: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class Pulse:
    """Engines by name; `told` hears (engine, up) every `every` seconds, and every `anxious` ones while any is down."""

    engines: Mapping[str, Beat]
    told: Callable[[str, bool], None]
    every: float = 10.0
    anxious: float = 1.0
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Go on in the background of the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def beat(self) -> bool:
        """Ask all of them once; returns whether all are well."""
        found = await asyncio.gather(*(beat.healthy() for beat in self.engines.values()))
        for (name, beat), healthy in zip(self.engines.items(), found, strict=True):
            self.told(name, healthy and beat.available())
        return all(found)

    async def _follow(self) -> None:
        while True:
            well = await self.beat()
            await asyncio.sleep(self.every if well else self.anxious)
