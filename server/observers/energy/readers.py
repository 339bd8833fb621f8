"""What reads counters of joules: a port, and the readers of this process' own machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from router.errors import ConfigError
from router.types import EnergyMethod


class Unreadable(Exception):
    """The counter could not be read now; later it may be again."""


class Reader(Protocol):
    """A counter of joules that only grows, or falls to nothing when its machine starts anew.

    Where a reading takes but microseconds it is made when a call ends too, unless the last one is younger than `fresh` seconds.
    """

    @property
    def method(self) -> EnergyMethod: ...

    @property
    def fresh(self) -> float | None: ...

    def joules(self) -> float:
        """Raises Unreadable."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CpuTime:
    """CPU seconds that an engine has computed, times the `watts` that a busy core draws: an estimate, and labelled as one."""

    seconds: Callable[[], float]
    watts: float
    method: EnergyMethod = "estimated"
    fresh: float | None = 0.0

    def joules(self) -> float:
        return self.seconds() * self.watts

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class _Zone:
    """One RAPL domain: microjoules that begin anew after `limit`."""

    path: Path
    limit: int
    last: int
    total: int = 0

    def read(self) -> int:
        now = _number(self.path / "energy_uj")
        self.total += now - self.last if now >= self.last else now + self.limit - self.last
        self.last = now
        return self.total


@dataclass(slots=True)
class Rapl:
    """Intel's and AMD's counters as Linux shows them (Documentation/power/powercap): folders with `name` and `energy_uj`.

    `domains` are beginnings of names: `package` is a socket with its caches, `dram` its memory, `psys` the whole board (which holds the
    others: not together with them). A counter wraps at its `max_energy_range_uj`: it must be read more often than that, which is minutes.
    """

    root: Path = Path("/sys/class/powercap")
    domains: Sequence[str] = ("package",)
    method: EnergyMethod = "rapl"
    fresh: float | None = 0.02
    _zones: list[_Zone] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self._zones = [_zone(path) for path in sorted(self.root.glob("*/energy_uj")) if self._wanted(path.parent)]
        except OSError as error:
            told = f"{error.filename} cannot be read ({error.strerror}); mostly only root may read RAPL"
            raise ConfigError(told) from error
        except ValueError as error:
            raise ConfigError(f"a RAPL counter below {self.root} tells no number: {error}") from error
        if not self._zones:
            raise ConfigError(f"no RAPL domain {' or '.join(self.domains)} below {self.root}")

    def joules(self) -> float:
        try:
            return sum(zone.read() for zone in self._zones) / 1e6
        except (OSError, ValueError) as error:
            raise Unreadable(str(error)) from error

    def close(self) -> None:
        """Nothing is open."""

    def _wanted(self, folder: Path) -> bool:
        name = (folder / "name").read_text().strip()
        return any(name.startswith(domain) for domain in self.domains)


def _zone(energy: Path) -> _Zone:
    return _Zone(energy.parent, _number(energy.parent / "max_energy_range_uj"), _number(energy))


def _number(path: Path) -> int:
    return int(path.read_text())
