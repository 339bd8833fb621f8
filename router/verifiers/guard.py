"""What an answer may not say, on every tier: patterns, a model that classifies, the operator's own service."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import SkipValidation

from router.contract.strictjson import NotJson, parse
from router.guards import Classifier, Detector
from router.policy import REFUSED
from router.ports import Services
from router.posting import Hook
from router.registry import verifiers
from router.types import Draft, Evidence, Ruling, Verdict


@verifiers.register("guard")
@dataclass(frozen=True, slots=True)
class GuardVerifier:
    """Defers an answer that is flagged, or under `policy: refuse` ends the request; a guard that cannot say is `UNABLE`.

    It rules on the last tier too. What is not flagged is not thereby right: it does not accept, it does not apply.
    """

    kind: ClassVar[str] = "guard"
    services: Annotated[Services, SkipValidation] = field(repr=False)
    patterns: tuple[str, ...] = ()
    classifier: Classifier | None = None
    webhook: Hook | None = None
    policy: Literal["defer", "refuse"] = "defer"

    def __post_init__(self) -> None:
        self._detector.check()

    @property
    def needs(self) -> Evidence:
        """Nothing beyond the text."""
        return Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        """Never raises."""
        found = await self._detector.look(draft.request, dict.fromkeys(_texts(draft)), draft.tab)
        if found.flagged is None:
            return Verdict(self.kind, Ruling.UNABLE, found.reason, cost=found.cost, usage=found.usage, energy=found.energy)
        if not found.flagged:
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "clear", cost=found.cost, usage=found.usage, energy=found.energy)
        reason = REFUSED if self.policy == "refuse" else found.reason
        return Verdict(self.kind, Ruling.DEFER, reason, cost=found.cost, usage=found.usage, energy=found.energy)

    @property
    def _detector(self) -> Detector:
        return Detector(self.services, self.patterns, self.classifier, self.webhook)


def _texts(draft: Draft) -> Iterator[str]:
    """As it stands, and every text inside it: JSON can hide words behind escapes."""
    yield draft.choice.text
    yield draft.choice.reasoning
    if draft.request.contract.kind in ("tools", "json_schema", "json_object"):
        try:
            yield from _inside(parse(draft.choice.text))
        except NotJson:
            return


def _inside(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _inside(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _inside(inner)
