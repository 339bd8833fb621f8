"""What the application is made of."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from router.cascade import Cascade
from router.contract import Limits as SchemaLimits
from router.limits import Limits
from router.pace import Pace
from router.ports import Engine
from router.route import Route
from router.schemafirst import Proven
from router.types import Budget, GenerationRequest, Outcome
from server.access.admission import Admission
from server.api.conversations import Conversations
from server.api.naming import Names, RouteFacts
from server.api.parts import BodyLimits, Exposition, Gauges, Parts
from server.build.routes import built_route
from server.build.running import Surroundings
from server.config import BudgetSettings, RouteSettings, Settings, StoredResponses
from server.conversations.database import InDatabase
from server.conversations.memory import InMemory
from server.ids import Ids
from server.observers.metrics import MULTIPROCESS, Metrics
from server.observers.outcomes.address import engine as reached
from server.recording import Recording

Observe = Callable[[GenerationRequest, Outcome], None]


def each_of(*observers: Observe) -> Observe:
    """Tells them all."""

    def observe(request: GenerationRequest, outcome: Outcome) -> None:
        for observer in observers:
            observer(request, outcome)

    return observe


def built_parts(
    settings: Settings,
    around: Surroundings,
    metrics: Metrics,
    observers: Sequence[Observe],
    followed: Recording | None,
    cascades: dict[str, Cascade],
) -> Parts:
    """What the handlers work with, the `cascades` among it, which are filled in; raises ConfigError."""
    engines = {name: found.engine for name, found in around.engines.items()}
    floors = {name: followed.floor(name) if followed else None for name in settings.routes}
    routes = {name: built_route(name, route, around, floors[name]) for name, route in settings.routes.items()}
    cascades.update((name, _cascade(route, engines, around, observers)) for name, route in routes.items())
    limits = settings.limits
    return Parts(
        cascades=cascades,
        engines=engines,
        names=Names({name: _facts(route, around) for name, route in settings.routes.items()}, settings.aliases, settings.default_route),
        admission=_admission(settings, metrics),
        gauges=Gauges(
            metrics.refused,
            metrics.overhead,
            lambda: Exposition(metrics.exposition(), metrics.media_type),
            metrics.observe,
        ),
        clock=time.monotonic,
        wall=time.time,
        new_id=Ids().new,
        limits=BodyLimits(
            limits.body_bytes,
            limits.messages,
            limits.choices,
            SchemaLimits(depth=limits.schema_depth, tools=limits.tools),
        ),
        take=followed.take if followed else None,
        embedders={name: found.embedder for name, found in around.engines.items() if found.embedder is not None},
        conversations=_conversations(settings.responses, around.folder),
        origins=settings.listen.origins,
        private=settings.access.keys_file is None and not settings.access.open,
        stall=settings.listen.stall,
        available=lambda name: around.engines[name].available(),
    )


def _admission(settings: Settings, metrics: Metrics) -> Admission:
    listen = settings.listen
    bounds = {name: route.max_concurrency for name, route in settings.routes.items() if route.max_concurrency is not None}
    return Admission(listen.max_concurrency, per_key=listen.max_concurrency_per_key, per_route=bounds, told=metrics.inflight)


def _conversations(given: StoredResponses, folder: Path) -> Conversations | None:
    """One worker's memory is of no use to the others, so that several store only what a database keeps for all."""
    if not given.rows or (given.url is None and MULTIPROCESS in os.environ):
        return None
    if given.url is None:
        return InMemory(given.rows, given.bytes, given.days, time.monotonic)
    return InDatabase(reached(given.url, folder, "responses.url"), given.rows, given.bytes, given.days, time.time)


def _cascade(route: Route, engines: Mapping[str, Engine], around: Surroundings, observers: Sequence[Observe]) -> Cascade:
    """The route at work; it learns its tiers' pace from its own outcomes."""
    pace, proven = Pace(time.monotonic), Proven()
    shown = any(tier.schema_first and tier.schema_first.proven for tier in route.tiers)
    seen = each_of(*observers, pace.observe, *([proven.observe] if shown else []))
    route = replace(route, proven=proven if shown else None)
    return Cascade(route, engines, time.monotonic, seen, lambda name: around.engines[name].available(), pace.usual, around.language)


def _facts(route: RouteSettings, around: Surroundings) -> RouteFacts:
    known = [around.engines[tier.engine].parameters for tier in route.tiers]
    spend = _budget(route.budget)
    labels, inside = tuple(tier.label for tier in route.tiers), route.residency == "inside"
    tasks = {name: Limits(task.tiers, task.target, task.residency == "inside", _budget(task.budget)) for name, task in route.tasks.items()}
    targets = tuple(label for label, _ in route.stricter)
    return RouteFacts(labels, spend, frozenset.intersection(*known), route.keepalive_after, inside, targets, tasks)


def _budget(given: BudgetSettings) -> Budget:
    return Budget(given.max_cost, given.deadline, given.max_attempts)
