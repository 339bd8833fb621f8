"""Counters are read as their makers document them; one that cannot be read is said so, never guessed."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from router.errors import ConfigError
from server.observers.energy.gpus import COUNTER, Dcgm, Nvml
from server.observers.energy.readers import CpuTime, Rapl, Unreadable

SCRAPE = """\
# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION Total energy consumption since boot (in mJ).
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",device="nvidia0"} 2500
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="1",UUID="GPU-b",device="nvidia1"} 4000
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a"} 250.5
"""


def zone(root: Path, folder: str, name: str, joules: float, limit: int = 262_143_328_850) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "max_energy_range_uj").write_text(f"{limit}\n")
    (path / "energy_uj").write_text(f"{int(joules * 1e6)}\n")
    return path


def test_rapl_adds_the_sockets_and_leaves_what_they_contain(tmp_path: Path) -> None:
    sockets = [zone(tmp_path, "intel-rapl:0", "package-0", 5), zone(tmp_path, "intel-rapl:1", "package-1", 7)]
    zone(tmp_path, "intel-rapl:0:0", "core", 3)
    reader = Rapl(tmp_path)
    assert reader.joules() == 0.0
    for path, joules in zip(sockets, (6.5, 9), strict=True):
        (path / "energy_uj").write_text(f"{int(joules * 1e6)}\n")
    assert reader.joules() == pytest.approx(3.5)


def test_a_rapl_counter_that_wraps_goes_on(tmp_path: Path) -> None:
    path = zone(tmp_path, "intel-rapl:0", "package-0", 9, limit=10_000_000)
    reader = Rapl(tmp_path)
    (path / "energy_uj").write_text("2000000")
    assert reader.joules() == pytest.approx(3.0)
    (path / "energy_uj").write_text("1000000")
    assert reader.joules() == pytest.approx(12.0)


def test_memory_is_counted_where_it_is_asked_for(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 1)
    dram = zone(tmp_path, "intel-rapl:0:1", "dram", 1)
    reader = Rapl(tmp_path, ("package", "dram"))
    (dram / "energy_uj").write_text("1500000")
    assert reader.joules() == pytest.approx(0.5)


def test_a_machine_without_rapl_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no RAPL domain package below"):
        Rapl(tmp_path)


def test_a_rapl_file_that_vanishes_is_unreadable(tmp_path: Path) -> None:
    path = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    reader = Rapl(tmp_path)
    (path / "energy_uj").unlink()
    with pytest.raises(Unreadable):
        reader.joules()


def test_a_rapl_file_without_a_number_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (zone(tmp_path, "intel-rapl:0", "package-0", 1) / "max_energy_range_uj").write_text("")
    with pytest.raises(ConfigError, match="tells no number"):
        Rapl(tmp_path)


class Library:  # its names are the binding's
    """What the NVML binding offers, over counters in millijoules."""

    class NVMLError(Exception):
        """As the binding's."""

    def __init__(self, counters: dict[int | str, int]) -> None:
        self.counters, self.open = counters, 0

    def nvmlInit(self) -> None:  # noqa: N802
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:  # noqa: N802
        return self._handle(index)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:  # noqa: N802
        return self._handle(uuid)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:  # noqa: N802
        if self.counters[handle] < 0:
            raise self.NVMLError("GPU is lost")
        return self.counters[handle]

    def _handle(self, name: int | str) -> int | str:
        if name not in self.counters:
            raise self.NVMLError("Not Found")
        return name


def test_nvml_adds_the_named_gpus_in_joules() -> None:
    library = Library({0: 1500, "GPU-b": 500, 1: 99_000})
    reader = Nvml(library, (0, "GPU-b"))
    assert reader.joules() == pytest.approx(2.0)
    reader.close()
    assert library.open == 0


def test_a_gpu_that_is_not_there_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="NVML gives no energy for"):
        Nvml(Library({0: 1}), (3,))


def test_a_gpu_that_is_lost_later_is_unreadable() -> None:
    library = Library({0: 1500})
    reader = Nvml(library, (0,))
    library.counters[0] = -1
    with pytest.raises(Unreadable, match="lost"):
        reader.joules()


def exporter(text: str, status: int = 200) -> Any:
    return lambda: httpx.MockTransport(lambda request: httpx.Response(status, text=text))


def told(**millijoules: object) -> str:
    """An exporter's page of these GPUs, by index."""
    return "".join(f'{COUNTER}{{gpu="{gpu[1:]}",UUID="GPU-{gpu}"}} {value}\n' for gpu, value in millijoules.items())


def exporting(*pages: str) -> Any:
    """An exporter that shows these pages one after the other."""
    left = iter(pages)
    return lambda: httpx.MockTransport(lambda request: httpx.Response(200, text=next(left)))


@pytest.mark.parametrize(
    ("gpus", "joules"), [(frozenset[str](), 6.5), (frozenset({"1"}), 4.0), (frozenset({"GPU-g0"}), 2.5), (frozenset({"0", "GPU-g1"}), 6.5)]
)
def test_dcgm_tells_millijoules_by_gpu(gpus: frozenset[str], joules: float) -> None:
    reader = Dcgm("http://exporter/metrics", gpus, transport=exporting(told(g0=7, g1=9), told(g0=2507, g1=4009)))
    assert (reader.joules(), reader.joules()) == (0.0, pytest.approx(joules))


@pytest.mark.parametrize("away", [told(g0=2000), told(g0=2000, g1="NaN"), told(g0=2000, g1="+Inf")])
def test_what_a_gpu_drew_in_its_life_is_not_counted_when_it_comes_back(away: str) -> None:
    pages = told(g0=1000, g1=9_000_000_000), away, told(g0=3000, g1=9_000_000_900), told(g0=4000, g1=9_000_001_400)
    reader = Dcgm("http://exporter/metrics", transport=exporting(*pages))
    assert [reader.joules() for _ in pages] == [0.0, 1.0, 2.0, 3.5]


def test_a_gpu_that_begins_anew_takes_nothing_from_the_others() -> None:
    pages = told(g0=1000, g1=9_000_000_000), told(g0=2000, g1=100), told(g0=3000, g1=300)
    reader = Dcgm("http://exporter/metrics", transport=exporting(*pages))
    assert [reader.joules() for _ in pages] == [0.0, 1.0, 2.2]


@pytest.mark.parametrize(
    ("text", "status", "gpus"),
    [(SCRAPE, 503, frozenset[str]()), ("<html>", 200, frozenset[str]()), ("", 200, frozenset[str]()), (SCRAPE, 200, frozenset({"0", "7"}))],
)
def test_an_exporter_that_does_not_tell_of_every_gpu_is_unreadable(text: str, status: int, gpus: frozenset[str]) -> None:
    """A sum over fewer GPUs would be another counter."""
    with pytest.raises(Unreadable):
        Dcgm("http://exporter/metrics", gpus, transport=exporter(text, status)).joules()


def test_cpu_time_is_an_estimate_and_says_so() -> None:
    reader = CpuTime(lambda: 2.5, watts=8.0)
    assert (reader.joules(), reader.method) == (20.0, "estimated")
