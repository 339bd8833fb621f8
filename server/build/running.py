"""The engines at work, and what routes are built from."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from router.errors import ConfigError
from router.functions import Registry
from router.functions import load as load_registry
from router.ports import Embedder, Engine
from server.api.wire import PASSED
from server.build.calibrated import Calibrations
from server.config import AdapterEngine, EmbeddedEngine, EngineSettings, OpenAIEngine, ScriptedEngine, Settings, VLLMEngine
from server.engines import openai, scripted
from server.engines.openai.flavours import FLAVOURS
from server.engines.vllm.options import KEY
from server.languages import identifier
from server.services import ProcessServices
from server.tracing import onward


@dataclass(frozen=True, slots=True)
class Running:
    """An engine with what the port leaves out: whether it takes calls now, or why not, its context in tokens, the parameters that it knows.

    `cpu_seconds` is the CPU time that it has taken in this process.
    """

    engine: Engine
    available: Callable[[], bool] = lambda: True
    context: int | None = None
    parameters: frozenset[str] = frozenset()
    embedder: Embedder | None = None
    cpu_seconds: Callable[[], float] | None = None
    trouble: Callable[[], str] = str


def running_engine(name: str, settings: Settings, folder: Path) -> Running:
    """The engine of that name, not yet metered; raises ConfigError."""
    match settings.engines[name]:
        case EmbeddedEngine(path=path, threads=threads, queue=queue, tools_prompt=form):
            from server.engines import embedded  # late: a gateway of servers elsewhere needs no runtime for models

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
    embedder = made if options.embeddings else None
    return Running(made, made.replicas.available, made.context, parameters, embedder, trouble=lambda: made.trouble)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What routes are built from; `folder` is where relative paths of the settings start."""

    engines: Mapping[str, Running]
    services: ProcessServices
    registry: Registry | None
    folder: Path
    calibrations: Calibrations
    language: Callable[[str], str | None] = field(default=lambda text: None)


def surroundings(settings: Settings, running: Mapping[str, Running], folder: Path) -> Surroundings:
    """What routes are built from, once the engines are there."""
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
    return Surroundings(running, services, registry, folder, Calibrations(folder), *([identifier(named)] if named else []))
