"""The watch over every route: reads the labels, publishes bounds, and tightens a route whose promise is broken.

Every worker polls the floors; one of them, elected by a lease in the store, also watches. What it finds follows from the store alone, so
another one can take over at any time.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from router.calibration.drift import Reference
from router.calibration.watching import ESCALATE_ALL, Change, Limits, State, Target, fold, tighten
from router.calibration.watching import Label as Seen
from server.observers.outcomes.ports import Floor, Label, Source, Store, StoreLost, Unfit

LEASE = "watcher"


@dataclass(frozen=True, slots=True)
class Watched:
    """A route under watch: what it promised, under which calibration (its fingerprint), and which labels speak of it.

    `source` is `audit` where the route is audited or in shadow, else `feedback`, which is no random sample. Without a `reference` the first
    drafts under this calibration make one.
    """

    target: Target = field(default=Target())
    fingerprint: str = ""
    source: Source = "audit"
    reference: Reference | None = None
    limits: Limits = field(default=Limits())


class Gauges(Protocol):
    """Where the watch is published; `None` is not known, or not by this worker any more."""

    def kept_error_bound(self, route: str, value: float | None) -> None: ...

    def kept_error_target(self, route: str, value: float) -> None: ...

    def confidence_floor(self, route: str, value: float) -> None: ...

    def calibration_error(self, route: str, value: float | None) -> None: ...

    def drift(self, route: str, value: float | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Silent:
    """Gauges that nobody reads."""

    def kept_error_bound(self, route: str, value: float | None) -> None:
        """Nothing."""

    def kept_error_target(self, route: str, value: float) -> None:
        """Nothing."""

    def confidence_floor(self, route: str, value: float) -> None:
        """Nothing."""

    def calibration_error(self, route: str, value: float | None) -> None:
        """Nothing."""

    def drift(self, route: str, value: float | None) -> None:
        """Nothing."""


@dataclass(slots=True)
class Watcher:
    """Polls the store every `every` seconds; its own lease runs out after three missed polls."""

    store: Store
    routes: dict[str, Watched]
    gauges: Gauges = field(default=Silent())
    log: Callable[[str], object] = lambda sentence: None
    wall: Callable[[], float] = time.time
    every: float = 10.0
    holder: str = field(default_factory=lambda: uuid.uuid4().hex)
    _floors: dict[str, Floor] = field(default_factory=dict, init=False)
    _states: dict[str, State] = field(default_factory=dict, init=False)
    _folded: dict[str, tuple[object, tuple[State, bool]]] = field(default_factory=dict, init=False)
    _lost: str = field(default="", init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _closing: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def floor(self, route: str) -> float:
        """The least confidence that the route keeps now."""
        found = self._floors.get(route)
        return 0.0 if found is None else found.floor

    def follow(self, route: str, watched: Watched) -> None:
        """Watch the route under another calibration from now on; floors of the old one no longer count."""
        self._floors.pop(route, None)
        self._states.pop(route, None)
        self.routes[route] = watched

    def start(self) -> None:
        """Watch in the background of the running event loop."""
        self._task = self._task or asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Stop watching, after the poll under way: its thread holds a connection of the store."""
        self._closing.set()
        if self._task is not None:
            await self._task

    def detail(self) -> dict[str, str]:
        """A sentence a route for `/readyz`: what the bound is, and whether the route was tightened."""
        return {route: self._sentence(route, watched) for route, watched in self.routes.items()}

    def poll(self) -> bool:
        """Follow the floors, and watch if elected; returns whether it was. A lost store leaves the floors as they are."""
        try:
            now = self.wall()
            self._begin(now)
            elected = self.store.lease(LEASE, self.holder, 3 * self.every, now)
            if elected:
                for route, watched in list(self.routes.items()):
                    self._look(route, watched)
            else:
                self._resign()
            self._follow()
            self._lost = ""
        except (StoreLost, Unfit) as loss:
            if not self._lost:
                self.log(f"the watcher cannot reach the outcome store: {loss}")
            self._lost = str(loss)
            return False
        return elected

    async def _watch(self) -> None:
        while not self._closing.is_set():
            await asyncio.to_thread(self.poll)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self.every)

    def _begin(self, now: float) -> None:
        new = [(route, watched) for route, watched in self.routes.items() if route not in self._floors]
        for route, watched in new:
            self.store.begin(Floor(route, watched.fingerprint, since=now))
        if new:
            self._follow()

    def _follow(self) -> None:
        found = {floor.route: floor for floor in self.store.floors() if self._current(floor)}
        for route, floor in found.items():
            if floor.floor > self.floor(route):
                self.log(f"route {route}: {floor.reason}")
        self._floors = found
        for route in self.routes:
            self.gauges.confidence_floor(route, self.floor(route))

    def _resign(self) -> None:
        """Another worker publishes from now on: what this one said last is no longer so."""
        for route in self._states:
            self._unpublish(route)
        self._states.clear()

    def _current(self, floor: Floor) -> bool:
        return floor.route in self.routes and floor.fingerprint == self.routes[floor.route].fingerprint

    def _look(self, route: str, watched: Watched) -> None:
        floor = next((found for found in self.store.floors() if found.route == route and self._current(found)), None)
        if floor is None:
            return
        labels = self.store.labels(route, floor.since, 20 * watched.limits.window)
        state, tripped = self._fold(watched, floor, labels)
        state = self._drifted(route, watched, floor, state)
        self._states[route] = state
        self._publish(route, watched, state)
        change = tighten(state, watched.target, floor.floor, tripped=tripped)
        if change is not None:
            self._tighten(floor, change)

    def _fold(self, watched: Watched, floor: Floor, labels: Sequence[Label]) -> tuple[State, bool]:
        """Labels folded before are not folded again: a corrected one stands at the end, so their number and the last of them tell."""
        key = (floor, len(labels), labels[-1] if labels else None)
        known = self._folded.get(floor.route)
        if known is not None and known[0] == key:
            return known[1]
        found = fold(_fresh(watched, labels), _seen(labels, watched.source, floor.floor), watched.target)
        self._folded[floor.route] = (key, found)
        return found

    def _drifted(self, route: str, watched: Watched, floor: Floor, state: State) -> State:
        size = watched.limits.least
        reference = watched.reference or self._own_reference(route, floor, size)
        if reference is None:
            return state
        latest = self.store.confidences(route, floor.since, 2 * size, latest=True)
        return state.seen(reference, [value for value, _ in latest], [family for _, family in latest])

    def _own_reference(self, route: str, floor: Floor, size: int) -> Reference | None:
        """The first drafts under this calibration; nothing until there are enough of them."""
        first = self.store.confidences(route, floor.since, 2 * size, latest=False)
        return Reference.of([value for value, _ in first], {family for _, family in first}) if len(first) >= 2 * size else None

    def _publish(self, route: str, watched: Watched, state: State) -> None:
        self.gauges.kept_error_target(route, watched.target.max_error)
        self.gauges.kept_error_bound(route, state.upper(watched.target) if state.labels else None)
        self.gauges.calibration_error(route, state.calibration_error)
        self.gauges.drift(route, state.drift.psi if state.drift else None)

    def _unpublish(self, route: str) -> None:
        for gauge in (self.gauges.kept_error_bound, self.gauges.calibration_error, self.gauges.drift):
            gauge(route, None)

    def _tighten(self, floor: Floor, change: Change) -> None:
        self.store.tighten(replace(floor, floor=change.floor, since=self.wall(), reason=change.reason))

    def _sentence(self, route: str, watched: Watched) -> str:
        state, floor = self._states.get(route), self._floors.get(route)
        told = [f"store lost: {self._lost}"] if self._lost else []
        if floor is not None and floor.floor > 0.0:
            told.append(f"tightened: {floor.reason}")
        if state is not None and not state.labels:
            told.append(f"no label from {watched.source} {'since' if told else 'yet'}")
        elif state is not None:
            sure = f"{watched.target.confidence:.0%} sure, {state.labels} labels from {watched.source}"
            told.append(f"kept error at most {state.upper(watched.target):.1%} ({sure})")
        return "; ".join(told) or "as fitted"


def _fresh(watched: Watched, labels: Sequence[Label]) -> State:
    """Weights follow from the configured rates and never from answers, so the largest may be read from the labels."""
    largest = max((label.weight for label in labels if label.kept and label.source == watched.source), default=1.0)
    return State(largest, watched.limits)


def _seen(labels: Sequence[Label], source: Source, floor: float) -> list[Seen]:
    """As the floor would have it: what it no longer keeps says nothing of what is kept now."""
    return [
        Seen(
            1.0 - label.correct,
            label.weight,
            label.kept and floor < ESCALATE_ALL and (floor <= 0.0 or (label.confidence or 0.0) >= floor),
            label.confidence,
            label.source == source,
        )
        for label in labels
    ]
