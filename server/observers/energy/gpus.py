"""Readers of NVIDIA's counters: NVML on this machine, DCGM's exporter on another."""

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import httpx
from prometheus_client.parser import text_string_to_metric_families

from router.errors import ConfigError
from router.types import EnergyMethod
from server.observers.energy.readers import Unreadable

COUNTER = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
"""Millijoules since the driver was loaded; of the exporter's default counters."""


class Library(Protocol):
    """What is used of NVML's Python binding (nvidia-ml-py); its calls raise `NVMLError`."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> object: ...  # noqa: N802  # NVML's own names

    def nvmlShutdown(self) -> object: ...  # noqa: N802

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: N802

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any: ...  # noqa: N802

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:  # noqa: N802
        """Millijoules since the driver was loaded; Volta and later."""
        ...


@dataclass(slots=True)
class Nvml:
    """The joules of these GPUs together, by index or UUID."""

    library: Library
    devices: Sequence[int | str]
    method: EnergyMethod = "nvml"
    fresh: float | None = None
    _handles: list[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self.library.nvmlInit()
            self._handles = [self._handle(device) for device in self.devices]
            self.joules()
        except (self.library.NVMLError, Unreadable) as error:
            raise ConfigError(f"NVML gives no energy for {list(self.devices)}: {error}") from error

    def joules(self) -> float:
        try:
            return sum(self.library.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in self._handles) / 1e3
        except self.library.NVMLError as error:
            raise Unreadable(str(error)) from error

    def close(self) -> None:
        self.library.nvmlShutdown()

    def _handle(self, device: int | str) -> Any:
        if isinstance(device, int):
            return self.library.nvmlDeviceGetHandleByIndex(device)
        return self.library.nvmlDeviceGetHandleByUUID(device)


def nvml_library() -> Library:
    """The binding, which comes with the extra `nvml`; raises ConfigError where it is not installed."""
    try:
        return cast(Library, importlib.import_module("pynvml"))
    except ImportError as error:
        raise ConfigError("kind nvml needs the extra: pip install 'smallfirst[nvml]'") from error


@dataclass(slots=True)
class Dcgm:
    """The joules of the GPUs that an exporter tells of, since the first reading: all, or those whose `gpu` or `UUID` label is listed.

    Each GPU is followed by itself: one that comes, comes back or begins anew is counted from there, for what it drew in its life so far
    is of no call here.
    """

    url: str
    gpus: frozenset[str] = frozenset()
    timeout: float = 2.0
    method: EnergyMethod = "dcgm"
    fresh: float | None = None
    transport: Callable[[], httpx.BaseTransport | None] = lambda: None
    _client: httpx.Client = field(init=False, repr=False)
    _last: dict[tuple[str, str], float] = field(init=False, repr=False, default_factory=dict)
    _total: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._client = httpx.Client(timeout=self.timeout, transport=self.transport(), follow_redirects=False, trust_env=False)

    def joules(self) -> float:
        """The sum over the GPUs; without one that is listed the sum would be too low, so that nothing is told then."""
        try:
            answer = self._client.get(self.url)
            found = _consumed(answer.raise_for_status().text)
        except (httpx.HTTPError, ValueError) as error:
            raise Unreadable(f"{type(error).__name__} at {self.url}") from error
        wanted = {key: value for key, value in found.items() if not self.gpus or self.gpus & set(key)}
        if len(wanted) < max(1, len(self.gpus)):
            raise Unreadable(f"{self.url} tells no {COUNTER} of {', '.join(sorted(self.gpus)) or 'any GPU'}")
        self._total += sum(max(0.0, now - self._last.get(gpu, now)) for gpu, now in wanted.items())
        self._last = wanted
        return self._total / 1e3

    def close(self) -> None:
        self._client.close()


def _consumed(text: str) -> dict[tuple[str, str], float]:
    """Millijoules by (gpu, UUID), but for NaN and the like; with several processes on one GPU the exporter may repeat it, one is enough."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    told = (sample for sample in samples if sample.name.removesuffix("_total") == COUNTER and math.isfinite(sample.value))
    return {(sample.labels.get("gpu", ""), sample.labels.get("UUID", "")): sample.value for sample in told}
