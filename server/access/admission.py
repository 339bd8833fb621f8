"""A bound on what is in flight, so that overload is told at once, nothing queues without end, and no key takes all the places."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from router.errors import Overloaded

PATIENCE = 3.0
"""Retry-Afters for which a refused key's claim to its share stands: clients wait somewhat longer than they are told."""


@dataclass(slots=True)
class Admission:
    """Counts the requests of this process, altogether, by key and by route; `retry_after` and `clock` are in seconds.

    Whoever comes may have every free place, until a key is refused that holds less than its share, the limit over the keys that are
    there: for a while, keys with their share or more get no further ones, so that the next places to become free are the refused key's.
    """

    limit: int
    retry_after: float = 1.0
    per_key: int | None = None
    per_route: Mapping[str, int] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    inflight: int = 0
    _keys: dict[str, int] = field(default_factory=dict, init=False)
    _routes: dict[str, int] = field(default_factory=dict, init=False)
    _claims: dict[str, float] = field(default_factory=dict, init=False)

    def slot(self, key: str = "") -> AbstractContextManager[None]:
        """A place among those in flight, for the work of a key ("" where there are none); raises Overloaded when there is none."""
        self._admit(key)
        self._claims.pop(key, None)
        return _Place(self._keys, key, self)

    def on(self, route: str) -> AbstractContextManager[None]:
        """A place on a route that has a bound of its own; raises Overloaded when there is none."""
        limit = self.per_route.get(route)
        if limit is not None and self._routes.get(route, 0) >= limit:
            raise self._overloaded(f"{limit} requests are in flight on this model already")
        return _Place(self._routes, route)

    def _admit(self, key: str) -> None:
        own = self._keys.get(key, 0)
        if self.per_key is not None and own >= self.per_key:
            raise self._overloaded(f"{self.per_key} requests of this key are in flight already")
        self._forget()
        over = own >= self.limit / len(self._keys.keys() | self._claims.keys() | {key})
        if self.inflight < self.limit and not (over and self._claims.keys() - {key}):
            return
        if not over:
            self._claims[key] = self.clock() + PATIENCE * self.retry_after
        raise self._overloaded(f"{self.inflight} requests are in flight already")

    def _forget(self) -> None:
        """Claims that nobody came back for."""
        if self._claims:
            now = self.clock()
            self._claims = {key: until for key, until in self._claims.items() if until > now}

    def _overloaded(self, message: str) -> Overloaded:
        return Overloaded(message, retry_after=self.retry_after)


@dataclass(slots=True)
class _Place:
    """One more under a name, which is forgotten when nothing is left of it; and one more in flight, where that is counted."""

    counts: dict[str, int]
    name: str
    altogether: Admission | None = None

    def __enter__(self) -> None:
        self.counts[self.name] = self.counts.get(self.name, 0) + 1
        if self.altogether is not None:
            self.altogether.inflight += 1

    def __exit__(self, *_exception: object) -> None:
        self.counts[self.name] -= 1
        if not self.counts[self.name]:
            del self.counts[self.name]
        if self.altogether is not None:
            self.altogether.inflight -= 1
