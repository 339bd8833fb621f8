"""What must fit together across the configuration; each check raises a ConfigError that names the key."""

from collections.abc import Mapping, Sequence

from server.config.engines import AdapterEngine, EngineSettings, OpenAIEngine, VLLMEngine
from server.config.plain import refuse
from server.config.routes import RouteSettings
from server.config.serving import Access, Listen, is_local
from server.config.tiers import HourPrice
from server.observers.energy.options import EnergyCounter


def check_access(access: Access, listen: Listen) -> None:
    """Who is let in, and who can come."""
    if access.open and access.keys_file is not None:
        refuse("access.open", "whoever may ask without a key needs none: leave out open or keys_file")
    if access.redis_env is not None and access.keys_file is None:
        refuse("access.redis_env", "it is for the limits of keys: set keys_file")
    if not (listen.local or access.open or access.keys_file is not None):
        told = "is reachable from other machines: set access.keys_file, or say `access: {open: true}`"
        refuse("listen.host", f"{listen.host} {told}")
    internal = listen.internal
    if internal is not None and not (internal.open or is_local(internal.host)):
        refuse("listen.internal.host", f"{internal.host} is reachable from other machines: say `open: true` where that is meant")


def check_ports(engines: Mapping[str, EngineSettings], listen: Listen) -> None:
    """No two of this machine's servers on one port."""
    taken = {listen.port: "the gateway"}
    internal = listen.internal
    if internal is not None and internal.port == listen.port != 0 and internal.host == listen.host:
        refuse("listen.internal.port", f"{internal.port} is the port of the gateway already")
    for name, engine in engines.items():
        if isinstance(engine, VLLMEngine) and (other := taken.setdefault(engine.port, name)) != name:
            refuse(f"engines.{name}.port", f"{engine.port} is the port of {other} already")


def check_adapters(engines: Mapping[str, EngineSettings]) -> None:
    """An adapter is of an engine that can have some."""
    for name, engine in engines.items():
        if not isinstance(engine, AdapterEngine):
            continue
        base = engines.get(engine.of)
        if not isinstance(base, OpenAIEngine | VLLMEngine):
            refuse(f"engines.{name}.of", f"{engine.of!r} is no engine of kind openai or vllm")
        if isinstance(base, VLLMEngine) and engine.adapter not in base.adapters:
            refuse(f"engines.{name}.adapter", f"{engine.of!r} has no adapter {engine.adapter!r}: name it in engines.{engine.of}.adapters")


def check_names(default_route: str, aliases: Mapping[str, str], routes: Mapping[str, RouteSettings]) -> None:
    """The default route and the aliases lead somewhere."""
    if default_route not in routes:
        refuse("default_route", f"there is no route {default_route!r}")
    for alias, target in aliases.items():
        if alias in routes:
            refuse(f"aliases.{alias}", "a route has that name, and goes before an alias")
        route, _, tier = target.partition("/")
        if route not in routes or (tier and tier not in {rung.label for rung in routes[route].tiers}):
            refuse(f"aliases.{alias}", f"{target!r} is neither a route nor route/tier")


def check_machines(routes: Mapping[str, RouteSettings]) -> None:
    """An engine has one machine and a machine one price, on every route."""
    machines: dict[str, str] = {}
    hours: dict[str, float] = {}
    for name, route in routes.items():
        for index, tier in enumerate(route.tiers):
            if not isinstance(tier.price, HourPrice):
                continue
            machine = tier.price.machine or tier.engine
            if machines.setdefault(tier.engine, machine) != machine:
                refuse(f"routes.{name}.tiers.{index}.price.machine", f"{tier.engine!r} runs on {machines[tier.engine]!r} already")
            if hours.setdefault(machine, tier.price.hour) != tier.price.hour:
                refuse(f"routes.{name}.tiers.{index}.price.hour", f"the machine {machine!r} costs {hours[machine]:g} already")


def check_energy(counters: Sequence[EnergyCounter], engines: Mapping[str, EngineSettings]) -> None:
    """What is measured is there."""
    for index, counter in enumerate(counters):
        for engine in counter.weights:
            if engine not in engines:
                refuse(f"energy.{index}.engines", f"there is no engine {engine!r}")
