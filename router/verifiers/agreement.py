"""Further cheap samples beside the draft: what is asked again in doubt should come out the same (self-consistency, arXiv 2203.11171)."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, SkipValidation

from router.asking import Rate, Said, ask
from router.calibration.agreement import alike
from router.calibration.artifact import LEARNED, Artifact
from router.calibration.reading import normal, read
from router.contract import check
from router.contract.strictjson import NotJson, parse
from router.errors import ConfigError
from router.ports import Services
from router.registry import resolved, verifiers
from router.types import Choice, Contract, Draft, EngineCall, Evidence, Ruling, Usage, Verdict, together

Share = Annotated[float, Field(ge=0, le=1)]
_SHORT = 40
"""Characters up to which the wording of a message is the answer."""


@verifiers.register("agreement")
@dataclass(frozen=True, slots=True)
class AgreementVerifier:
    """Asks each of `engines` for `samples` more answers and accepts if their mean likeness to the draft is at least `likeness`.

    `band` bounds the confidence of `calibration` (an artifact or its path; its signal `score`) inside which it asks; outside it does not
    apply; without a band it always asks. `price` is what the engines' tokens cost; `timeout` in seconds. Prose longer than a few words
    cannot be compared.
    """

    kind: ClassVar[str] = "agreement"
    services: Annotated[Services, SkipValidation] = field(repr=False)
    engines: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)]
    price: Rate
    samples: Annotated[int, Field(ge=1, le=8)] = 1
    likeness: Share = 1.0
    band: tuple[Share, Share] | None = None
    calibration: object = None
    score: str = LEARNED
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    timeout: Annotated[float, Field(gt=0, le=120)] = 10.0
    location: Literal["inside", "outside"] = "inside"

    def __post_init__(self) -> None:
        for name in self.engines:
            resolved("engines", self.services.engine, name)
        if (self.band is None) != (self.calibration is None):
            raise ConfigError("a band needs a calibration to take the confidence from, and the other way round", param="band")
        if self.band is not None and self.band[0] > self.band[1]:
            raise ConfigError("the lower bound comes first", param="band")
        if isinstance(self.calibration, str):
            object.__setattr__(self, "calibration", resolved("calibration", Artifact.load, self.calibration))
        if self.calibration is not None and not isinstance(self.calibration, Artifact):
            raise ConfigError("must be the path of an artifact", param="calibration")
        if self.artifact is not None and self.score not in self.artifact.stored.signals:
            raise ConfigError(f"the artifact has no {self.score!r}", param="score")

    @property
    def artifact(self) -> Artifact | None:
        """Where the confidence comes from."""
        return cast(Artifact | None, self.calibration)

    @property
    def needs(self) -> Evidence:
        """What the confidence is made of."""
        return Evidence.NONE if self.artifact is None else self.artifact.needs(self.score)

    async def judge(self, draft: Draft) -> Verdict:
        """Never raises: an engine that fails, or may not be asked, makes it `UNABLE`; a confidence that is unknown counts as doubtful."""
        if not _comparable(draft):
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "prose")
        if not self._doubtful(draft):
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "outside_band")
        if refusal := self._refusal(draft):
            return Verdict(self.kind, Ruling.UNABLE, refusal)
        calls = [(self.services.engine(name), self._call(draft, index)) for name in self.engines for index in range(self.samples)]
        return self._compared(draft, await asyncio.gather(*(ask(engine, call, self.price, draft.tab) for engine, call in calls)))

    def _doubtful(self, draft: Draft) -> bool:
        if self.band is None or self.artifact is None:
            return True
        confidence = self.artifact.confidence(draft, self.score)
        return confidence is None or self.band[0] <= confidence <= self.band[1]

    def _refusal(self, draft: Draft) -> str:
        if draft.request.inside_only and (self.location == "outside" or any(map(self.services.outside, self.engines))):
            return "residency"
        held = all(self.services.engine(name).supports(draft.request.contract) for name in self.engines)
        return "" if held else "unsupported_contract"

    def _call(self, draft: Draft, index: int) -> EngineCall:
        request = draft.request
        seed = None if request.sampling.seed is None else request.sampling.seed + index + 1
        sampling = replace(request.sampling, temperature=self.temperature, seed=seed, n=1, logprobs=False, top_logprobs=0)
        return EngineCall(f"{request.id}-sample", request.messages, request.contract, sampling, seconds=self.timeout)

    def _compared(self, draft: Draft, said: list[Said]) -> Verdict:
        usage = sum((one.usage for one in said), Usage())
        cost = sum(self.price.of(one.usage) for one in said)
        energy = together(one.energy for one in said)
        failed = [one.failure.code for one in said if one.failure is not None]
        if failed:
            return Verdict(self.kind, Ruling.UNABLE, failed[0], cost=cost, usage=usage, energy=energy)
        found = [_likeness(draft.request.contract, draft.choice, one.choice) for one in said if one.choice is not None]
        if None in found:
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "prose", cost=cost, usage=usage, energy=energy)
        mean = sum(one or 0.0 for one in found) / len(found)
        ruling = Ruling.ACCEPT if mean >= self.likeness else Ruling.DEFER
        return Verdict(self.kind, ruling, f"{mean:.2f} of {len(found)}", cost=cost, usage=usage, energy=energy, score=1.0 - mean)


def _comparable(draft: Draft) -> bool:
    """A message among tools may still be compared with calls; long prose with nothing."""
    kind = draft.request.contract.kind
    return kind not in ("none", "regex", "grammar") or len(draft.choice.text) <= _SHORT


def _likeness(contract: Contract, own: Choice, other: Choice) -> float | None:
    """`None` where both are prose; a sample that breaks the contract agrees with nothing."""
    if check(contract, other):
        return 0.0
    one, sample = read(contract, own), read(contract, other)
    if one.calls or sample.calls:
        return alike(contract, own, other)
    if contract.kind in ("json_schema", "json_object") or contract.form is not None:
        return float(_value(own.text) == _value(other.text))
    long = max(len(one.message or ""), len(sample.message or "")) > _SHORT
    if long and contract.kind != "choice":
        return None
    return float(normal(one.message or "") == normal(sample.message or ""))


def _value(text: str) -> object:
    try:
        return normal(parse(text))
    except NotJson:
        return text
