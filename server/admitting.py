"""Who may ask, and how much: the keys of the configured file, held against the routes that there are, and the ledger of what they use."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from router.errors import ConfigError
from server.access.database import InTable
from server.access.keyfile import Entries, KeyEntry, KeyFile
from server.access.ledger import Exchange, Ledger, Told
from server.config import Settings
from server.observers.metrics import MULTIPROCESS
from server.observers.outcomes.address import engine as reached

STRICT = 10.0
"""Seconds without an exchange after which what keys used is not known."""
IDLE = 60
"""Every so many exchanges also the keys that nobody uses here are asked for."""


class Meters(Protocol):
    """Who counts what the ledger tells."""

    def key_budget(self, key: str, period: str, share: float) -> None: ...

    def ledger_lost(self) -> None: ...


@dataclass(slots=True)
class Admitting:
    """The keys in force and what they used; both are followed in the event loop that serves, the ledger `every` so many seconds."""

    file: KeyFile
    ledger: Ledger
    every: float = 0.5
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to follow."""
        self.file.start()
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """Stop, and tell what was counted last."""
        await self.file.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.ledger.settle(self.file.ring.keys)
        if self.ledger.exchange is not None:
            await self.ledger.exchange.close()

    async def _follow(self) -> None:
        turn = 0
        while True:
            await self.ledger.settle(self.file.ring.keys, everything=turn % IDLE == 0)
            await asyncio.sleep(self.every)
            turn += 1


@dataclass(slots=True)
class _Said:
    """Logs the first of many like sentences, and one a minute of the rest."""

    log: Callable[[str], object]
    last: float | None = None

    def __call__(self, sentence: str) -> None:
        now = time.monotonic()
        if self.last is None or now - self.last >= 60:
            self.last = now
            self.log(sentence)


def admitting(settings: Settings, folder: Path, meters: Meters, log: Callable[[str], object]) -> Admitting | None:
    """What the configuration says of keys, `None` where everyone may ask; raises ConfigError naming the field of the file."""
    name = settings.access.keys_file
    if name is None:
        return None

    said = _Said(log)

    def lost(why: str) -> None:
        meters.ledger_lost()
        said(why)

    exchange = _exchange(settings, folder)
    file = KeyFile(folder / name, lambda entries: _fitting(entries, settings, alone=exchange is None and MULTIPROCESS in os.environ), log)
    strict = STRICT if settings.access.when_lost == "refuse" else None
    return Admitting(file, Ledger(time.time, exchange, Told(meters.key_budget, lost), strict))


def _exchange(settings: Settings, folder: Path) -> Exchange | None:
    """With whom the ledger counts: Redis, else the database of the outcomes, else nobody."""
    variable = settings.access.redis_env
    if variable is not None:
        if not os.environ.get(variable):
            raise ConfigError(f"access.redis_env: the environment variable {variable} is not set", param="access.redis_env")
        from server.access.redis import InRedis

        return InRedis(os.environ[variable])
    return None if settings.outcomes is None else InTable(reached(settings.outcomes.url, folder))


def _fitting(entries: Entries, settings: Settings, *, alone: bool) -> None:
    """A key for a route or a tier that is not there would open nothing, or less than was meant.

    Workers that count `alone` would each grant the whole of a limit.
    """
    tiers = {tier.label for route in settings.routes.values() for tier in route.tiers}
    for name, entry in entries.keys.items():
        if alone and (entry.rate is not None or entry.budgets):
            told = "several workers must count its limits together: set outcomes.url or access.redis_env"
            raise ConfigError(f"keys.{name}: {told}", param=f"keys.{name}")
        for kind, given, known in (("routes", entry.routes, settings.routes.keys()), ("tiers", entry.tiers, tiers)):
            if unknown := sorted((given or frozenset()) - known):
                raise ConfigError(f"keys.{name}.{kind}: there is no {kind[:-1]} {unknown[0]!r}", param=f"keys.{name}.{kind}")
        _kept_by_its_routes(name, entry, settings)


def _kept_by_its_routes(name: str, entry: KeyEntry, settings: Settings) -> None:
    """A route without the calibration could only refuse every request of the key."""
    if entry.target is None:
        return
    for route in sorted(settings.routes.keys() if entry.routes is None else entry.routes):
        if entry.target not in settings.routes[route].targets:
            missing = f"routes.{route}.targets.{entry.target}"
            told = f"route {route!r} has no calibration for it: set {missing}, or name the key's other routes"
            raise ConfigError(f"keys.{name}.target: {told}", param=f"keys.{name}.target")
