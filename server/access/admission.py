"""A bound on what is in flight, so that overload is told at once, nothing queues without end, and no key takes all the places."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from router.errors import Overloaded
from router.types.records import record

PATIENCE = 3.0
"""Retry-Afters for which a refused key's claim to its share stands: clients wait somewhat longer than they are told."""


@dataclass(slots=True)
class Admission:
    """Counts the requests of this process, altogether, by key and by route; `retry_after` and `clock` are in seconds, `told` hears routes.

    Whoever comes may have every free place, until a key is refused that holds less than its share, the limit over the keys that are
    there: for a while, keys with their share or more get no further ones, so that the next places to become free are the refused key's.
    """

    limit: int
    retry_after: float = 1.0
    per_key: int | None = None
    per_route: Mapping[str, int] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    told: Callable[[str, int], None] = lambda route, change: None
    inflight: int = 0
    _keys: dict[str, int] = field(default_factory=dict, init=False)
    _routes: dict[str, int] = field(default_factory=dict, init=False)
    _claims: dict[str, float] = field(default_factory=dict, init=False)

    def slot(self, key: str = "") -> "Place":
        """A place among those in flight, for the work of a key ("" where there are none); raises Overloaded when there is none."""
        self._admit(key)
        self._claims.pop(key, None)
        return Place(self, key)

    def count(self, key: str, change: int) -> None:
        """So many more are in flight, for this key."""
        self.inflight += change
        _count(self._keys, key, change)

    def count_on(self, route: str, change: int) -> None:
        """So many more are on this route; raises Overloaded where it has a bound of its own and one more would be beyond it."""
        limit = self.per_route.get(route)
        if limit is not None and self._routes.get(route, 0) + change > limit:
            raise self._overloaded(f"{limit} requests are in flight on this model already")
        _count(self._routes, route, change)
        self.told(route, change)

    def _admit(self, key: str) -> None:
        own = self._keys.get(key, 0)
        if self.per_key is not None and own >= self.per_key:
            raise self._overloaded(f"{self.per_key} requests of this key are in flight already")
        if self.inflight < self.limit and not self._claims:
            return
        now = self.clock()
        self._claims = {key: until for key, until in self._claims.items() if until > now}  # the others nobody came back for
        over = own >= self.limit / len(self._keys.keys() | self._claims.keys() | {key})
        if self.inflight < self.limit and not (over and self._claims.keys() - {key}):
            return
        if not over:
            self._claims[key] = now + PATIENCE * self.retry_after
        raise self._overloaded(f"{self.inflight} requests are in flight already")

    def _overloaded(self, message: str) -> Overloaded:
        return Overloaded(message, retry_after=self.retry_after)


@record(slots=True)
class Place:
    """One request's place, given back when it is left; `route` is the one that it is on, once that is known."""

    admission: Admission
    key: str
    route: str | None = None

    def on(self, route: str) -> None:
        """On this route from now on; raises Overloaded when there is no place."""
        self.admission.count_on(route, 1)
        self.route = route

    def __enter__(self) -> Self:
        self.admission.count(self.key, 1)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.admission.count(self.key, -1)
        if self.route is not None:
            self.admission.count_on(self.route, -1)


def _count(counts: dict[str, int], name: str, change: int) -> None:
    """A name of which nothing is left is forgotten."""
    counts[name] = counts.get(name, 0) + change
    if not counts[name]:
        del counts[name]
