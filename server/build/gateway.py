"""The composition root: settings become engines, routes, observers and the application."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from fastapi import FastAPI

from router.cascade import Cascade
from router.ports import Engine
from server.admitting import Admitting, admitting
from server.api.parts import Parts
from server.api.wire import PASSED
from server.app import create_app, internal
from server.build.calibrated import Calibrations, limits_of, notices
from server.build.following import built_recording
from server.build.parts import built_parts, each_of
from server.build.refitting import Installed, built_recalibrator
from server.build.routes import price_of
from server.build.running import Running, running_engine, surroundings
from server.config import Settings
from server.exporting import traces
from server.lines import Lines
from server.metering import Idled, metering
from server.observers.logs import Logs
from server.observers.metrics import Metrics
from server.observers.recent import Recent
from server.observers.refusals import Refusals
from server.observers.savings import Yardstick
from server.pulse import Beat, Pulse
from server.recalibrating import Recalibrator
from server.recording import Recording
from server.tracing import request_id


@dataclass(frozen=True, slots=True)
class Gateway:
    """The application and the parts it was made of; `internal` is the one for operators where they have an address of their own."""

    app: FastAPI
    parts: Parts
    metrics: Metrics
    recalibrator: Recalibrator | None = None
    internal: FastAPI | None = None


class Living(Protocol):
    """What runs beside the requests, in the event loop that serves."""

    def start(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Living:
    """Several of them, ended in the opposite order."""

    parts: Sequence[Living]

    def start(self) -> None:
        for part in self.parts:
            part.start()

    async def close(self) -> None:
        for part in reversed(self.parts):
            await part.close()


def gateway(
    settings: Settings, folder: Path, *, engines: Mapping[str, Engine] | None = None, write: Callable[[str], object] | None = None
) -> Gateway:
    """Everything that serves.

    `folder` is where relative paths of the settings start; `engines` stand in for those configured under the same names; `write` takes
    the log lines. Raises ConfigError for what these settings ask and this version cannot do.
    """
    lines = Lines()
    written = write or lines
    yardsticks = {name: Yardstick(route.tiers[-1].label, price_of(route.tiers[-1])) for name, route in settings.routes.items()}
    metrics = Metrics(yardsticks)
    running, watch = _metered(settings, folder, engines or {}, metrics, _saying(written, "energy"))
    beats = {name: Beat(found.engine.healthy, found.available, found.trouble) for name, found in running.items()}
    pulse = Pulse(beats, metrics.beside.engine_up, _saying(written, "engine"))
    around = surroundings(settings, running, folder)
    cascades: dict[str, Cascade] = {}
    followed = built_recording(settings, around, metrics, _saying(written, "outcomes"), cascades)
    door = admitting(settings, folder, metrics.beside, _saying(written, "access"))
    spans, page = traces(settings), _page(settings, yardsticks) if settings.dashboard else None
    notes, shown = _announced(settings, around.calibrations, written), metrics.promises.thresholds
    for name, route in settings.routes.items():
        shown(name, limits_of(name, route, around.calibrations))

    logs, following = Logs(written, time.time, request_id, settings.log.content), followed.observers if followed else ()
    followers = [metrics, logs, *following, spans, page, door.ledger if door else None]
    observers = [follower.observe for follower in followers if follower is not None]
    parts = replace(
        _guarded(built_parts(settings, around, metrics, observers, followed, cascades), door, metrics),
        page=page,
        watch=_details(notes, followed),
        turned_away=Refusals(written, time.time, request_id),
    )
    refitting = built_recalibrator(settings, around, Installed(settings, around, parts, notes, followed, shown)) if followed else None
    living = _Living([part for part in (watch, pulse, door, followed, refitting) if part is not None])

    async def close() -> None:
        await living.close()
        if parts.conversations is not None:
            await parts.conversations.close()
        if spans is not None:
            await asyncio.to_thread(spans.close)
        metrics.close()
        await around.services.close()
        await asyncio.to_thread(lines.flush)

    apart = settings.listen.internal is not None
    return Gateway(create_app(parts, close, living.start, apart=apart), parts, metrics, refitting, internal(parts) if apart else None)


def _metered(
    settings: Settings, folder: Path, given: Mapping[str, Engine], metrics: Metrics, say: Callable[[str], object]
) -> tuple[dict[str, Running], Living | None]:
    """The engines, with what their calls take of energy and money told; and what follows that while nothing runs."""
    stand_ins = {name: Running(engine, parameters=frozenset(PASSED)) for name, engine in given.items()}
    bare = {name: stand_ins.get(name) or running_engine(name, settings, folder) for name in settings.engines}
    cpu = {name: found.cpu_seconds for name, found in bare.items() if found.cpu_seconds is not None}
    meters = metering(settings, folder, cpu, Idled(metrics.beside.idle_joules, metrics.beside.idle_dollars, say))
    return {name: replace(found, engine=meters.metered(found.engine)) for name, found in bare.items()}, meters.watch()


def _guarded(parts: Parts, door: Admitting | None, metrics: Metrics) -> Parts:
    """With the keys in force and what they used, where there are any."""
    if door is None:
        return parts
    gauges = replace(parts.gauges, observe=each_of(metrics.observe, door.ledger.observe))
    return replace(parts, keys=lambda: door.file.ring, ledger=door.ledger, gauges=gauges)


def _saying(written: Callable[[str], object], event: str) -> Callable[[str], object]:
    """Sentences as log lines of this event."""
    return lambda sentence: written(json.dumps({"event": event, "message": sentence}))


def _announced(settings: Settings, known: Calibrations, written: Callable[[str], object]) -> dict[str, tuple[str, ...]]:
    """The notices, logged at start."""
    found = notices(settings, known)
    for route, sentences in found.items():
        for sentence in sentences:
            written(json.dumps({"event": "calibration", "route": route, "message": sentence}))
    return found


def _details(told: Mapping[str, Sequence[str]], followed: Recording | None) -> Callable[[], dict[str, str]]:
    """A sentence a route for `/readyz`."""

    def details() -> dict[str, str]:
        seen = followed.watcher.detail() if followed else {}
        routes = sorted(seen.keys() | told.keys())
        return {route: "; ".join([*told.get(route, ()), *([seen[route]] if route in seen else [])]) for route in routes}

    return details


def _page(settings: Settings, yardsticks: Mapping[str, Yardstick]) -> Recent:
    return Recent(yardsticks, {name: route.tiers[0].label for name, route in settings.routes.items()}, time.time)
