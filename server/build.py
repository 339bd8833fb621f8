"""The composition root: settings become engines, routes, observers and the application."""

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from fastapi import FastAPI

from router.asking import Rate
from router.calibration.artifact import LEARNED, Artifact
from router.calibration.fit import Options
from router.calibration.tightened import tightened
from router.calibration.watching import Target as Promise
from router.cascade import Cascade
from router.contract import Limits as SchemaLimits
from router.early import Early
from router.errors import ConfigError
from router.evaluation.drafts import Tiers
from router.functions import Registry
from router.functions import load as load_registry
from router.gated import Gated
from router.limits import Limits
from router.pace import Pace
from router.policy import Rules
from router.ports import Embedder, Engine, Verifier
from router.ranking import Likeness
from router.registry import guards, verifiers
from router.route import Route
from router.schemafirst import Proven, Taught
from router.types import Budget, GenerationRequest, Outcome, Price, SchemaFirst, Tier
from router.verifiers.contract import ContractVerifier
from server.access.admission import Admission
from server.admitting import admitting
from server.api.conversations import Conversations
from server.api.naming import Names, RouteFacts
from server.api.parts import BodyLimits, Exposition, Gauges, Parts
from server.api.wire import PASSED
from server.app import create_app, internal
from server.auditing import Audited
from server.config import (
    AdapterEngine,
    BudgetSettings,
    EmbeddedEngine,
    EngineSettings,
    HourPrice,
    OpenAIEngine,
    RouteSettings,
    ScriptedEngine,
    Settings,
    StoredResponses,
    Target,
    TierSettings,
    VLLMEngine,
)
from server.conversations.database import InDatabase
from server.conversations.memory import InMemory
from server.engines import embedded, openai, scripted
from server.engines.openai.flavours import FLAVOURS
from server.engines.vllm.options import KEY
from server.exporting import traces
from server.judging import AgreementJudge
from server.languages import identifier
from server.metering import Idled, metering
from server.observers.logs import Logs
from server.observers.metrics import MULTIPROCESS, Metrics
from server.observers.outcomes.address import engine as reached
from server.observers.outcomes.ports import Retention, Source
from server.observers.recent import Recent
from server.observers.savings import Yardstick
from server.pulse import Beat, Pulse
from server.recalibrating import Plan, Recalibrator, Scheduled
from server.recording import Kept, Meters, Recording, recording
from server.services import ProcessServices
from server.tracing import onward, request_id
from server.watcher import Watched

EVALUATION_RATE = 0.05
"""The share of kept answers that is audited while a route is evaluated and says no other."""

Observe = Callable[[GenerationRequest, Outcome], None]


@dataclass(frozen=True, slots=True)
class Gateway:
    """The application and the parts it was made of; `internal` is the one for operators where they have an address of their own."""

    app: FastAPI
    parts: Parts
    metrics: Metrics
    recalibrator: Recalibrator | None = None
    internal: FastAPI | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """An engine with what the port leaves out: whether it takes calls now, its context in tokens, the parameters that it knows.

    `cpu_seconds` is the CPU time that it has taken in this process.
    """

    engine: Engine
    available: Callable[[], bool] = lambda: True
    context: int | None = None
    parameters: frozenset[str] = frozenset()
    embedder: Embedder | None = None
    cpu_seconds: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What routes are built from; `folder` is where relative paths of the settings start."""

    engines: Mapping[str, Running]
    services: ProcessServices
    registry: Registry | None
    folder: Path
    language: Callable[[str], str | None] = field(default=lambda text: None)


def gateway(
    settings: Settings, folder: Path, *, engines: Mapping[str, Engine] | None = None, write: Callable[[str], object] | None = None
) -> Gateway:
    """Everything that serves.

    `folder` is where relative paths of the settings start; `engines` stand in for those configured under the same names; `write` takes
    the log lines. Raises ConfigError for what these settings ask and this version cannot do.
    """
    yardsticks = {name: Yardstick(route.tiers[-1].label, _price(route.tiers[-1])) for name, route in settings.routes.items()}
    metrics = Metrics(yardsticks)
    written = write or _to_stdout
    logs = Logs(written, time.time, request_id, settings.log.content)
    given = {name: Running(engine, parameters=frozenset(PASSED)) for name, engine in (engines or {}).items()}
    bare = {name: given.get(name) or _engine(name, settings, folder) for name in settings.engines}
    cpu = {name: found.cpu_seconds for name, found in bare.items() if found.cpu_seconds is not None}
    told = Idled(metrics.idle_joules, metrics.idle_dollars, lambda sentence: written(json.dumps({"event": "energy", "message": sentence})))
    meters = metering(settings, folder, cpu, told)
    running = {name: replace(found, engine=meters.metered(found.engine)) for name, found in bare.items()}
    watch = meters.watch()
    pulse = Pulse({name: Beat(found.engine.healthy, found.available) for name, found in running.items()}, metrics.engine_up)
    around = _surroundings(settings, running, folder)
    followed = _recording(settings, around, metrics, lambda sentence: written(json.dumps({"event": "outcomes", "message": sentence})))
    notes = _announced(settings, folder, written)
    shown = metrics.promises.thresholds
    for name, route in settings.routes.items():
        shown(name, _limits(name, route, folder))
    spans = traces(settings)
    followers = [metrics.observe, logs.observe, *([followed.observe] if followed else []), *([spans.observe] if spans else [])]
    page = _page(settings, yardsticks) if settings.dashboard else None
    followers += [page.observe] if page else []
    door = admitting(settings, folder, metrics, lambda sentence: written(json.dumps({"event": "access", "message": sentence})))
    followers += [door.ledger.observe] if door else []
    parts = replace(_parts(settings, around, metrics, _all(*followers), followed), page=page, watch=_details(notes, followed))
    if door is not None:
        gauges = replace(parts.gauges, observe=_all(metrics.observe, door.ledger.observe))
        parts = replace(parts, keys=lambda: door.file.ring, ledger=door.ledger, gauges=gauges)
    refitting = _recalibrator(settings, around, _Installed(settings, around, parts, notes, followed, shown)) if followed else None

    living = _there(watch, pulse, door, followed, refitting)

    async def close() -> None:
        for part in reversed(living):
            await part.close()
        if parts.conversations is not None:
            await parts.conversations.close()
        if spans is not None:
            await asyncio.to_thread(spans.close)
        metrics.close()
        await around.services.close()

    def start() -> None:
        for part in living:
            part.start()

    apart = settings.listen.internal is not None
    return Gateway(create_app(parts, close, start, apart=apart), parts, metrics, refitting, internal(parts) if apart else None)


class Living(Protocol):
    """What runs beside the requests, in the event loop that serves."""

    def start(self) -> None: ...

    async def close(self) -> None: ...


def _there(*parts: Living | None) -> list[Living]:
    return [part for part in parts if part is not None]


@dataclass(frozen=True, slots=True)
class _Installed:
    """Puts a calibration to work that was fitted again; requests under way keep the old one."""

    settings: Settings
    around: Surroundings
    parts: Parts
    told: dict[str, tuple[str, ...]]
    followed: Recording
    shown: Callable[[str, Mapping[str, float]], None]

    def __call__(self, name: str, artifact: Artifact) -> None:
        given, known = self.settings.routes[name], self.parts.cascades[name]
        made = _route(name, given, self.around, self.followed.floor(name), artifact)
        self.parts.cascades[name] = replace(known, route=replace(made, proven=known.route.proven))
        self.followed.watcher.follow(name, _watched(name, given, self.around, artifact))
        self.told[name] = artifact.notices(str(_calibrated(name, given, self.around.folder)[1].get("score", LEARNED)))
        self.shown(name, _limits(name, given, self.around.folder, artifact))


def _recalibrator(settings: Settings, around: Surroundings, installed: _Installed) -> Recalibrator | None:
    """What follows and schedules new calibrations; `None` where no store is configured."""
    if settings.outcomes is None:
        return None
    plans = {name: plan(name, route, around.folder) for name, route in settings.routes.items() if len(route.tiers) > 1}
    hours = {name: route.recalibrate.hours for name, route in settings.routes.items()}
    routes = {name: Scheduled(made, 3600 * every if (every := hours[name]) else None) for name, made in plans.items() if made}
    watcher = installed.followed.watcher
    return Recalibrator(watcher.store, settings.outcomes.url, around.folder, routes, installed, watcher.log)


def _announced(settings: Settings, folder: Path, written: Callable[[str], object]) -> dict[str, tuple[str, ...]]:
    """The notices, logged at start."""
    found = notices(settings, folder)
    for route, sentences in found.items():
        for sentence in sentences:
            written(json.dumps({"event": "calibration", "route": route, "message": sentence}))
    return found


def notices(settings: Settings, folder: Path) -> dict[str, tuple[str, ...]]:
    """By route, what the operator must know of its calibrations: above all that nothing is certified, so that everything escalates."""
    return {name: found for name, route in settings.routes.items() if (found := tuple(_notices(name, route, folder)))}


def _notices(name: str, route: RouteSettings, folder: Path) -> Iterator[str]:
    for at, given in enumerate(route.verifiers):
        artifact = _artifact(f"routes.{name}.verifiers.{at}", given.options, folder)
        if artifact is not None and given.kind == "confidence":
            yield from artifact.notices(str(given.options.get("score", LEARNED)))


def _details(told: Mapping[str, Sequence[str]], followed: Recording | None) -> Callable[[], dict[str, str]]:
    """A sentence a route for `/readyz`."""

    def details() -> dict[str, str]:
        seen = followed.watcher.detail() if followed else {}
        routes = sorted(seen.keys() | told.keys())
        return {route: "; ".join([*told.get(route, ()), *([seen[route]] if route in seen else [])]) for route in routes}

    return details


def _refuse(key: str, message: str) -> None:
    raise ConfigError(f"{key}: {message}", param=key)


def _all(*observers: Observe) -> Observe:
    def observe(request: GenerationRequest, outcome: Outcome) -> None:
        for observer in observers:
            observer(request, outcome)

    return observe


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _surroundings(settings: Settings, running: Mapping[str, Running], folder: Path) -> Surroundings:
    outsiders = {tier.engine for route in settings.routes.values() for tier in route.tiers if tier.location == "outside"}
    plain = {name: found.engine for name, found in running.items()}
    services = ProcessServices(plain, frozenset(outsiders), os.environ)
    registry = None if settings.functions is None else load_registry(settings.functions)
    named = [
        (f"routes.{name}.tiers.{index}.languages", language)
        for name, route in settings.routes.items()
        for index, tier in enumerate(route.tiers)
        for language in sorted(tier.languages or ())
    ]
    return Surroundings(running, services, registry, folder, *([identifier(named)] if named else []))


def _page(settings: Settings, yardsticks: Mapping[str, Yardstick]) -> Recent:
    return Recent(yardsticks, {name: route.tiers[0].label for name, route in settings.routes.items()}, time.time)


def _recording(settings: Settings, around: Surroundings, metrics: Metrics, log: Callable[[str], object]) -> Recording | None:
    """What follows the outcomes; `None` where no store is configured."""
    given = settings.outcomes
    if given is None:
        return None
    kept = Kept(given.url, around.folder, given.content, Retention(given.days, given.rows, given.content_days), given.queue)
    audits = (metrics.audit_energy, metrics.audit_tokens)
    meters = Meters(metrics.lost, metrics.labelled, metrics.audit_cost, metrics.audit_missed, metrics.promises, log, *audits)
    watched = {name: _watched(name, route, around) for name, route in settings.routes.items() if len(route.tiers) > 1}
    rates = {name: _rate(route) for name, route in settings.routes.items()}
    audited = {
        name: Audited(tuple(_tier(tier, around) for tier in route.tiers), rates[name], _audit_judge(name, route, around))
        for name, route in settings.routes.items()
        if rates[name]
    }
    return recording(kept, {name: found.engine for name, found in around.engines.items()}, watched, audited, meters)


def _audit_judge(name: str, route: RouteSettings, around: Surroundings) -> AgreementJudge | None:
    given = route.audit_judge
    if given is None:
        return None
    price = Rate(given.price.prompt, given.price.completion)
    outside = around.services.outside(given.engine)
    made = AgreementJudge(around.engines[given.engine].engine, price, given.timeout, given.max_tokens, outside)
    if not made.able:
        _refuse(f"routes.{name}.audit_judge.engine", f"engine {given.engine!r} cannot be held to a JSON schema")
    return made


def _rate(route: RouteSettings) -> float:
    """In shadow every request is compared anyway; to evaluate needs audits."""
    if route.mode in ("off", "shadow"):
        return 0.0
    return route.audit or (EVALUATION_RATE if route.mode == "evaluate" else 0.0)


def plan(name: str, route: RouteSettings, folder: Path) -> Plan | None:
    """How the route would be fitted again; `None` where no confidence verifier has a calibration."""
    found, given = _calibrated(name, route, folder)
    if found is None:
        return None
    known, window, names = found.certificate, route.recalibrate, [tier.label for tier in route.tiers]
    aim = route.target
    options = Options(known.objective, known.loss, aim.max_error, aim.confidence, names[0], names[-1], max_cost=aim.max_cost)
    return Plan(
        name,
        known.fingerprint,
        Tiers(names[0], names[-1], known.samples),
        options,
        {tier.label: _price(tier) for tier in route.tiers if not isinstance(tier.price, HourPrice)},
        str(given.get("score", LEARNED)),
        window.days,
        window.least,
        None if window.source == "all" else window.source,
    )


def _calibrated(name: str, route: RouteSettings, folder: Path) -> tuple[Artifact | None, Mapping[str, object]]:
    """The calibration that the route judges by, and the options of its verifier."""
    for at, given in enumerate(route.verifiers):
        artifact = _artifact(f"routes.{name}.verifiers.{at}", given.options, folder)
        if artifact is not None:
            return artifact, given.options
    return None, {}


def _limits(name: str, route: RouteSettings, folder: Path, newer: Artifact | None = None) -> Mapping[str, float]:
    """The certified thresholds that the route judges by, by group."""
    configured, options = _calibrated(name, route, folder)
    artifact = newer or configured
    return artifact.limits(str(options.get("score", LEARNED))) if artifact else {}


def _watched(name: str, route: RouteSettings, around: Surroundings, newer: Artifact | None = None) -> Watched:
    configured, options = _calibrated(name, route, around.folder)
    artifact = newer or configured
    signal = artifact.stored.signals.get(str(options.get("score", LEARNED))) if artifact else None
    source: Source = "audit" if _rate(route) or route.mode == "shadow" else "feedback"
    tolerated = route.target.max_error if route.target.max_cost is None else 1.0  # a route of cost promises nothing to be broken
    target = Promise(tolerated, route.target.confidence)
    return Watched(target, artifact.certificate.fingerprint if artifact else "", source, signal.reference if signal else None)


def _parts(settings: Settings, around: Surroundings, metrics: Metrics, observe: Observe, followed: Recording | None) -> Parts:
    engines = {name: found.engine for name, found in around.engines.items()}
    floors = {name: followed.floor(name) if followed else None for name in settings.routes}
    routes = {name: _route(name, route, around, floors[name]) for name, route in settings.routes.items()}
    limits = settings.limits
    return Parts(
        cascades={name: _cascade(route, engines, around, observe) for name, route in routes.items()},
        engines=engines,
        names=Names({name: _facts(route, around) for name, route in settings.routes.items()}, settings.aliases, settings.default_route),
        admission=_admission(settings),
        gauges=Gauges(
            metrics.inflight,
            metrics.refused,
            metrics.overhead,
            lambda: Exposition(metrics.exposition(), metrics.media_type),
            metrics.observe,
        ),
        clock=time.monotonic,
        wall=time.time,
        new_id=lambda: uuid.uuid4().hex,
        limits=BodyLimits(
            limits.body_bytes,
            limits.body_seconds,
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


def _admission(settings: Settings) -> Admission:
    bounds = {name: route.max_concurrency for name, route in settings.routes.items() if route.max_concurrency is not None}
    return Admission(settings.listen.max_concurrency, per_key=settings.listen.max_concurrency_per_key, per_route=bounds)


def _conversations(given: StoredResponses, folder: Path) -> Conversations | None:
    """One worker's memory is of no use to the others, so that several store only what a database keeps for all."""
    if not given.rows or (given.url is None and MULTIPROCESS in os.environ):
        return None
    if given.url is None:
        return InMemory(given.rows, given.bytes, given.days, time.time)
    return InDatabase(reached(given.url, folder, "responses.url"), given.rows, given.bytes, given.days, time.time)


def _cascade(route: Route, engines: Mapping[str, Engine], around: Surroundings, observe: Observe) -> Cascade:
    """The route at work; it learns its tiers' pace from its own outcomes."""
    pace, proven = Pace(time.monotonic), Proven()
    shown = any(tier.schema_first and tier.schema_first.proven for tier in route.tiers)
    seen = _all(observe, pace.observe, *([proven.observe] if shown else []))
    route = replace(route, proven=proven if shown else None)
    return Cascade(route, engines, time.monotonic, seen, lambda name: around.engines[name].available(), pace.usual, around.language)


def _engine(name: str, settings: Settings, folder: Path) -> Running:
    match settings.engines[name]:
        case EmbeddedEngine(path=path, threads=threads, queue=queue, tools_prompt=form):
            beside = folder / path
            bundled = embedded.EmbeddedEngine(name, beside if beside.is_dir() else path, threads, queue, form)
            return Running(bundled, context=bundled.context, cpu_seconds=lambda: bundled.cpu_seconds)
        case ScriptedEngine(replies=replies):
            return Running(scripted.ScriptedEngine(name, replies), parameters=frozenset(PASSED))
        case OpenAIEngine() as given:
            return _reached(given.named(name))
        case VLLMEngine() as given:
            return _reached(given.reached(name, keyed=KEY in os.environ), starting=True)
        case AdapterEngine(of=of, adapter=adapter):
            return _adapted(name, settings.engines[of], adapter)


def _adapted(name: str, base: EngineSettings, adapter: str) -> Running:
    """The server of another engine under the adapter's name; the configuration is consistent."""
    match base:
        case OpenAIEngine():
            return _reached(base.named(name).model_copy(update={"model": adapter}))
        case VLLMEngine():
            return _reached(base.reached(name, keyed=KEY in os.environ).model_copy(update={"model": adapter}), starting=True)
        case _:
            raise ConfigError(f"engines.{name}.of: it has no adapters", param=f"engines.{name}.of")


def _reached(options: openai.OpenAIOptions, *, starting: bool = False) -> Running:
    made = openai.OpenAIEngine.create(options, os.environ, starting=starting, trace=onward)
    parameters = FLAVOURS[options.flavour].extras & frozenset(PASSED)
    return Running(made, lambda: made.available, made.context, parameters, made if options.embeddings else None)


def _route(
    name: str, route: RouteSettings, around: Surroundings, floor: Callable[[], float] | None, newer: Artifact | None = None
) -> Route:
    """The route; `newer` stands in place of the configured calibration."""
    key = f"routes.{name}"
    artifacts = [_artifact(f"{key}.verifiers.{index}", given.options, around.folder) for index, given in enumerate(route.verifiers)]
    first = next(filter(None, artifacts), None)
    artifacts = [newer if newer is not None and artifact is not None and _same(artifact, first) else artifact for artifact in artifacts]
    for artifact in filter(None, artifacts):
        _hold_to_target(f"{key}.target", route.target, artifact)
    held = _judges(key, route, artifacts, around, floor)
    rules = Rules(route.repair, route.when_all_abstain, route.when_exhausted, route.reserve, route.hedge_after)
    tiers = tuple(_tier(tier, around) for tier in route.tiers)
    learned = next(filter(None, artifacts), None)
    before = tuple(
        guards.build(given.options, f"{key}.guards.{index}", services=around.services) for index, given in enumerate(route.guards)
    )
    gate = Gated(route.gate_tokens, route.gate_limit) if route.commit == "gated" else None
    hopeless = route.hopeless
    early = Early(hopeless.limit, hopeless.after, hopeless.tokens) if hopeless is not None else None
    targets = {label: _judges(key, route, _stricter(key, route, label, artifacts, around), around, floor) for label, _ in route.stricter}
    taught = None if around.registry is None else Taught(around.registry)
    ranker = _ranker(name, route, around)
    return Route(name, tiers, held, rules, learned, route.mode, before, early, gate, targets, taught, ranker=ranker)


def _ranker(name: str, route: RouteSettings, around: Surroundings) -> Likeness | None:
    given = route.retriever
    if given is None:
        return None
    embedder = around.engines[given.engine].embedder
    if embedder is None:
        _refuse(f"routes.{name}.retriever.engine", f"engine {given.engine!r} makes no embeddings")
        return None
    price = Rate(given.price.prompt, given.price.completion)
    return Likeness(embedder, price, given.timeout, given.location == "outside" or around.services.outside(given.engine))


def _judges(
    key: str, route: RouteSettings, artifacts: Sequence[Artifact | None], around: Surroundings, floor: Callable[[], float] | None
) -> tuple[Verifier, ...]:
    """The route's verifiers under these calibrations, watched where it has a tier to defer to."""
    pairs = enumerate(zip(route.verifiers, artifacts, strict=True))
    built = _gated(_verifier(f"{key}.verifiers.{index}", given.options, artifact, around) for index, (given, artifact) in pairs)
    return built if floor is None or len(route.tiers) == 1 else tightened(built, floor)


def _stricter(
    key: str, route: RouteSettings, label: str, artifacts: Sequence[Artifact | None], around: Surroundings
) -> list[Artifact | None]:
    """The calibrations with that of a stricter target in place of the confidence verifier's."""
    given, where = route.targets[label], f"{key}.targets.{label}"
    artifact = _artifact(where, {"calibration": given.calibration}, around.folder)
    if artifact is not None:
        _hold_to_target(where, Target(max_error=given.max_error, confidence=given.confidence), artifact)
    pairs = zip(route.verifiers, artifacts, strict=True)
    return [artifact if verifier.kind == "confidence" else own for verifier, own in pairs]


def _same(one: Artifact, other: Artifact | None) -> bool:
    return other is not None and one.certificate.fingerprint == other.certificate.fingerprint


def _gated(built: Iterable[Verifier]) -> tuple[Verifier, ...]:
    """The request's own form is a hard gate on every route, whether the configuration names it or not."""
    listed = tuple(built)
    return listed if any(verifier.kind == "contract" for verifier in listed) else (ContractVerifier(), *listed)


def _verifier(where: str, options: Mapping[str, object], artifact: Artifact | None, around: Surroundings) -> Verifier:
    """What only the composition root knows is injected."""
    given = options if artifact is None else {**options, "calibration": artifact}
    built: Verifier = verifiers.build(given, where, registry=around.registry, services=around.services)
    return built


def _artifact(where: str, options: Mapping[str, object], folder: Path) -> Artifact | None:
    """The calibration that a verifier names, read once; raises ConfigError naming the whole key."""
    path = options.get("calibration")
    if not isinstance(path, str):
        return None
    try:
        return Artifact.load(folder / path)  # an absolute path stands for itself
    except ConfigError as error:
        raise ConfigError(f"{where}.calibration: {error.message}", param=f"{where}.calibration") from error


def _hold_to_target(key: str, target: Target, artifact: Artifact) -> None:
    """A target that the thresholds were not fitted to would be a promise that nobody keeps."""
    fitted = artifact.certificate
    if (target.max_cost is None) != (fitted.max_cost is None):
        _refuse(f"{key}.max_cost", "target and calibration must both be of cost (`smallfirst fit --max-cost`), or both of error")
    if fitted.max_cost is not None and target.max_cost is not None:
        if fitted.max_cost > target.max_cost or fitted.confidence < target.confidence:
            told = f"its calibration was fitted to a cost of {fitted.max_cost:g} at confidence {fitted.confidence:g}"
            _refuse(f"{key}.max_cost", told)
        return
    if fitted.max_error > target.max_error or fitted.confidence < target.confidence:
        told = (
            f"its calibration was fitted to max_error {fitted.max_error:g} at confidence {fitted.confidence:g}; fit it again or say so here"
        )
        _refuse(key, told)


def _tier(tier: TierSettings, around: Surroundings) -> Tier:
    context = tier.context or around.engines[tier.engine].context
    location = "outside" if around.services.outside(tier.engine) else tier.location  # one route's word on an engine holds on all
    first = None if tier.first is None else SchemaFirst(tier.first.examples, tier.first.proven)
    return Tier(tier.label, tier.engine, _price(tier), context, tier.modalities, location, tier.keep_tools, tier.languages, first)


def _price(tier: TierSettings) -> Price:
    return Price(hour=tier.price.hour) if isinstance(tier.price, HourPrice) else Price(tier.price.prompt, tier.price.completion)


def _facts(route: RouteSettings, around: Surroundings) -> RouteFacts:
    known = [around.engines[tier.engine].parameters for tier in route.tiers]
    spend = _budget(route.budget)
    labels, inside = tuple(tier.label for tier in route.tiers), route.residency == "inside"
    tasks = {name: Limits(task.tiers, task.target, task.residency == "inside", _budget(task.budget)) for name, task in route.tasks.items()}
    targets = tuple(label for label, _ in route.stricter)
    return RouteFacts(labels, spend, frozenset.intersection(*known), route.keepalive_after, inside, targets, tasks)


def _budget(given: BudgetSettings) -> Budget:
    return Budget(given.max_cost, given.deadline, given.max_attempts)
