"""Stored responses in this process's memory: the oldest go first, all of them when it stops."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from server.api.conversations import Stored

DAY = 86_400.0


@dataclass(slots=True)
class InMemory:
    """At most `rows` responses and `limit` bytes, none older than `days`; `clock` is in seconds and never jumps."""

    rows: int
    limit: int
    days: float
    clock: Callable[[], float]
    held: OrderedDict[str, tuple[float, Stored]] = field(default_factory=OrderedDict)
    size: int = 0

    async def keep(self, stored: Stored) -> bool:
        """Make room, then keep."""
        if weight(stored) > self.limit:
            return False
        self._forget(stored.id)
        self.held[stored.id] = (self.clock(), stored)
        self.size += weight(stored)
        while self.size > self.limit or len(self.held) > self.rows:
            self._forget(next(iter(self.held)))
        return True

    async def find(self, response_id: str, owner: str) -> Stored | None:
        """Its owner's, while it is young enough."""
        self._expire()
        _, found = self.held.get(response_id, (0.0, None))
        return found if found is not None and found.owner == owner else None

    async def drop(self, response_id: str, owner: str) -> bool:
        """Only its owner may."""
        known = await self.find(response_id, owner) is not None
        if known:
            self._forget(response_id)
        return known

    async def close(self) -> None:
        """Nothing outlives the process."""
        self.held.clear()
        self.size = 0

    def _expire(self) -> None:
        oldest = self.clock() - self.days * DAY
        while self.held and next(iter(self.held.values()))[0] < oldest:
            self._forget(next(iter(self.held)))

    def _forget(self, response_id: str) -> None:
        found = self.held.pop(response_id, None)
        self.size -= weight(found[1]) if found else 0


def weight(stored: Stored) -> int:
    """Bytes of a stored response's text."""
    return len(stored.items) + len(stored.body)
