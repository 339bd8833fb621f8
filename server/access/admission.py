"""A bound on what is in flight, so that overload is told at once, nothing queues without end, and no key takes all the places."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
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
    keys: dict[str, int] = field(default_factory=dict, init=False)
    routes: dict[str, int] = field(default_factory=dict, init=False)
    _claims: dict[str, float] = field(default_factory=dict, init=False)

    def slot(self, key: str = "") -> "Place":
        """A place among those in flight, for the work of a key ("" where there are none); raises Overloaded when there is none."""
        if self.per_key is not None or self._claims or self.inflight >= self.limit:
            self._admit(key)
            self._claims.pop(key, None)
        self.inflight += 1
        self.keys[key] = self.keys.get(key, 0) + 1
        return Place(self, key)

    def _admit(self, key: str) -> None:
        own = self.keys.get(key, 0)
        if self.per_key is not None and own >= self.per_key:
            raise self.overloaded(f"{self.per_key} requests of this key are in flight already")
        if self.inflight < self.limit and not self._claims:
            return
        now = self.clock()
        self._claims = {key: until for key, until in self._claims.items() if until > now}  # the others nobody came back for
        over = own >= self.limit / len(self.keys.keys() | self._claims.keys() | {key})
        if self.inflight < self.limit and not (over and self._claims.keys() - {key}):
            return
        if not over:
            self._claims[key] = now + PATIENCE * self.retry_after
        raise self.overloaded(f"{self.inflight} requests are in flight already")

    def overloaded(self, message: str) -> Overloaded:
        """The refusal."""
        return Overloaded(message, retry_after=self.retry_after)


@record(slots=True)
class Place:
    """One request's place, given back when it is left; `route` is the one that it is on, once that is known.

    `also` is left with it: what the request holds in its key's account.
    """

    admission: Admission
    key: str
    route: str | None = None
    also: AbstractContextManager[object] | None = None
    held: bool = True

    def on(self, route: str) -> None:
        """On this route from now on; raises Overloaded where that has a bound of its own and this would be beyond it."""
        admission = self.admission
        limit, here = admission.per_route.get(route), admission.routes.get(route, 0)
        if limit is not None and here >= limit:
            raise admission.overloaded(f"{limit} requests are in flight on this model already")
        admission.routes[route] = here + 1
        admission.told(route, 1)
        self.route = route

    def handed_on(self) -> "Place":
        """The same place for whoever holds it longer than this one, which no longer gives it back."""
        self.held = False
        return Place(self.admission, self.key, self.route, self.also)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """One less of this key, which is forgotten when nothing is left of it, and on the route that it was on."""
        if not self.held:
            return
        self.held, admission = False, self.admission
        admission.inflight -= 1
        if left := admission.keys.pop(self.key) - 1:
            admission.keys[self.key] = left
        if self.route is not None:
            admission.routes[self.route] -= 1
            admission.told(self.route, -1)
        if self.also is not None:
            self.also.__exit__(None, None, None)
