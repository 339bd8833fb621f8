"""From the configuration to metered engines: which counters and which machines there are, and which engines share them."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from router.errors import ConfigError
from router.ports import Engine
from server.config import HourPrice, Settings
from server.observers.energy.crowd import Crowd
from server.observers.energy.ledger import Lane, Ledger
from server.observers.energy.metered import Joules, Meter, MeteredEngine, Rent
from server.observers.energy.options import CpuCounter, DcgmCounter, EnergyCounter, NvmlCounter, RaplCounter
from server.observers.energy.readers import CpuTime, Rapl, Reader
from server.observers.energy.watch import Counter, Watch
from server.observers.metrics import MULTIPROCESS

MACHINE_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Idled:
    """Who hears what nobody ran for: joules by method, dollars by machine; `log` takes sentences."""

    joules: Callable[[str, float], None] = lambda method, joules: None
    dollars: Callable[[str, float], None] = lambda machine, dollars: None
    log: Callable[[str], object] = lambda sentence: None


@dataclass(slots=True)
class Metering:
    """Meters by engine, and what reads their counters."""

    idled: Idled
    meters: dict[str, list[Meter]] = field(default_factory=dict)
    counters: list[Counter] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)
    shared: list[Ledger] = field(default_factory=list)
    rents: list[Rent] = field(default_factory=list)
    prompt_weights: dict[str, float] = field(default_factory=dict)

    def metered(self, engine: Engine) -> Engine:
        """The engine itself where nothing meters it."""
        meters = self.meters.get(engine.name)
        weight = self.prompt_weights.get(engine.name, 0.1)
        return engine if meters is None else MeteredEngine(engine, tuple(meters), time.monotonic, weight)

    def watch(self) -> Watch:
        """To be started in the event loop that serves."""
        return Watch(self.counters, self.crowds, self.shared, tuple(rent.catch_up for rent in self.rents))

    def count(self, name: str, counter: EnergyCounter, reader: Reader, weights: Mapping[str, float]) -> None:
        """These engines share that counter."""
        ledger = self._ledger(name, counter.every, weights, alone=reader.method == "estimated")
        kept = Counter(name, reader, ledger, time.monotonic, lambda joules: self.idled.joules(reader.method, joules), self.idled.log)
        self.counters.append(kept)
        for engine in weights:
            self.meters.setdefault(engine, []).append(Joules(ledger, reader.method, kept.read, reader.fresh))
            self.prompt_weights[engine] = counter.prompt_weight

    def rent(self, machine: str, hour: float, engines: list[str]) -> None:
        """These engines share that machine."""
        ledger = self._ledger(f"machine-{machine}", MACHINE_EVERY, dict.fromkeys(engines, 1.0))
        rent = Rent(ledger, hour, lambda dollars: self.idled.dollars(machine, dollars))
        self.rents.append(rent)
        for engine in engines:
            self.meters.setdefault(engine, []).append(rent)

    def _ledger(self, name: str, every: float, weights: Mapping[str, float], *, alone: bool = False) -> Ledger:
        folder = os.environ.get(MULTIPROCESS)
        lanes = {engine: Lane(weight) for engine, weight in weights.items()}
        if not folder or alone:
            return Ledger(every, lanes=lanes)
        self.crowds.append(Crowd(folder=Path(folder), name=name))
        self.shared.append(Ledger(every, self.crowds[-1], lanes))
        return self.shared[-1]


def metering(settings: Settings, folder: Path, cpu: Mapping[str, Callable[[], float]], idled: Idled) -> Metering:
    """All meters of these settings; `cpu` are the CPU seconds of embedded engines, relative paths start at `folder`.

    Raises ConfigError for a counter that is not there.
    """
    found = Metering(idled)
    for index, counter in enumerate(settings.energy):
        where = f"energy.{index}"
        try:
            _count(found, where, counter, folder, cpu)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error.message}", param=where) from error
    for machine, (hour, engines) in _machines(settings).items():
        found.rent(machine, hour, engines)
    return found


def _count(found: Metering, where: str, counter: EnergyCounter, folder: Path, cpu: Mapping[str, Callable[[], float]]) -> None:
    name = where.replace(".", "-")
    match counter:
        case CpuCounter(watts=watts):
            for engine, weight in counter.weights.items():
                if engine not in cpu:
                    raise ConfigError(f"{engine!r} is not computed in this process: kind estimated is for embedded engines")
                found.count(f"{name}-{engine}", counter, CpuTime(cpu[engine], watts), {engine: weight})
        case RaplCounter(root=root, domains=domains):
            found.count(name, counter, Rapl(folder / root, domains), counter.weights)
        case DcgmCounter(url=url, gpus=gpus):
            from server.observers.energy.gpus import Dcgm  # late: an HTTP library that little else needs

            found.count(name, counter, Dcgm(str(url), frozenset(gpus)), counter.weights)
        case NvmlCounter(devices=devices):
            from server.observers.energy.gpus import Nvml, nvml_library

            found.count(name, counter, Nvml(nvml_library(), devices), counter.weights)


def _machines(settings: Settings) -> dict[str, tuple[float, list[str]]]:
    """Dollars an hour and the engines of every machine that is paid by the hour; the configuration is consistent."""
    found: dict[str, tuple[float, list[str]]] = {}
    for route in settings.routes.values():
        for tier in route.tiers:
            if isinstance(tier.price, HourPrice):
                _, engines = found.setdefault(tier.price.machine or tier.engine, (tier.price.hour, []))
                if tier.engine not in engines:
                    engines.append(tier.engine)
    return found
