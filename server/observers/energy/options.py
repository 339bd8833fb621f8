"""How the configuration names counters of energy, and the engines whose calls share each."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Counted(BaseModel):
    """What all kinds have.

    `engines` share the counter: names, or names with the weight of one of their tokens, where models of different size run on one machine.
    It is read `every` so many seconds. A token of a prompt weighs `prompt_weight` of a generated one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    engines: tuple[str, ...] | Mapping[str, Weight] = Field(min_length=1)
    every: float = Field(default=0.1, ge=0.01, le=60)
    prompt_weight: float = Field(default=0.1, ge=0, le=1)

    @property
    def weights(self) -> Mapping[str, float]:
        """By engine."""
        return self.engines if isinstance(self.engines, Mapping) else dict.fromkeys(self.engines, 1.0)


class NvmlCounter(Counted):
    """GPUs of this machine, by index or UUID; needs the extra `nvml`."""

    kind: Literal["nvml"]
    devices: tuple[int | str, ...] = Field(default=(0,), min_length=1)


class DcgmCounter(Counted):
    """GPUs of another machine, as its DCGM exporter tells; without `gpus` (labels `gpu` or `UUID`) all of them."""

    kind: Literal["dcgm"]
    url: AnyHttpUrl
    gpus: tuple[str, ...] = ()
    every: float = Field(default=1.0, ge=0.1, le=60)


class RaplCounter(Counted):
    """The CPU sockets of this machine; `domains` are beginnings of the names of RAPL domains."""

    kind: Literal["rapl"]
    root: str = "/sys/class/powercap"
    domains: tuple[str, ...] = Field(default=("package",), min_length=1)


class CpuCounter(Counted):
    """No counter: CPU seconds of embedded engines, each its own, times `watts` of a busy core."""

    kind: Literal["estimated"]
    watts: float = Field(gt=0, allow_inf_nan=False)


EnergyCounter = Annotated[NvmlCounter | DcgmCounter | RaplCounter | CpuCounter, Field(discriminator="kind")]
