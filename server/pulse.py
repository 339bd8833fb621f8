"""Asks every engine now and then whether it is well, and tells what the answer was."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Beat:
    """One engine: does its server answer, does it take calls (its breaker may be open), and why not."""

    healthy: Callable[[], Awaitable[bool]]
    available: Callable[[], bool] = lambda: True
    trouble: Callable[[], str] = str


@dataclass(slots=True)
class Pulse:
    """Engines by name; `told` hears (engine, up) of each every `every` seconds, and every `anxious` ones while it is down.

    `say` gets a sentence where an engine is down, and where it is up again.
    """

    engines: Mapping[str, Beat]
    told: Callable[[str, bool], None]
    say: Callable[[str], object] = lambda sentence: None
    every: float = 10.0
    anxious: float = 1.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False)

    def start(self) -> None:
        """Go on in the background of the running event loop; an engine that is slow to answer holds up no other."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._follow(name, beat)) for name, beat in self.engines.items()]

    async def close(self) -> None:
        """Ask no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, name: str, beat: Beat) -> None:
        was = True
        while True:
            well = await beat.healthy()
            up = well and beat.available()
            self.told(name, up)
            if up != was:
                self.say(f"{name} is up again" if up else f"{name} takes no calls: {beat.trouble() or 'its health check failed'}")
            was = up
            await asyncio.sleep(self.every if well else self.anxious)
