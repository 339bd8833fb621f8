"""The request's own contract as a hard gate: schema, tools, regex, choice, grammar, whatever decoded the answer."""

from dataclasses import dataclass
from typing import ClassVar

from router.contract import check
from router.contract.grammars import CannotCheck
from router.registry import verifiers
from router.types import Draft, Evidence, Ruling, Verdict


@verifiers.register("contract")
@dataclass(frozen=True, slots=True)
class ContractVerifier:
    """Accepts a draft that keeps its contract; prose has none, and is only held to not being empty while a further tier is left.

    A model that refuses is no answer while a further tier is left, and the answer where none is, as the client's protocol has it.
    """

    kind: ClassVar[str] = "contract"

    @property
    def needs(self) -> Evidence:
        """Nothing beyond the text."""
        return Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        """Never raises: a grammar that cannot be checked is `UNABLE`."""
        contract = draft.request.contract
        try:
            violations = draft.notes.violations = check(contract, draft.choice)
        except CannotCheck:
            return Verdict(self.kind, Ruling.UNABLE, "unreadable_grammar")
        if contract.kind == "none" and (draft.last or not violations):
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "no_contract")
        if draft.choice.finish_reason == "refusal" and draft.last:
            return Verdict(self.kind, Ruling.NOT_APPLICABLE, "refusal")
        if not violations:
            return Verdict(self.kind, Ruling.ACCEPT)
        whole = draft.choice.finish_reason not in ("length", "refusal")
        return Verdict(self.kind, Ruling.DEFER, _reason(draft), violations=violations, repairable=whole and contract.kind != "none")


def _reason(draft: Draft) -> str:
    if not draft.choice.text.strip():
        return "empty"
    ended = draft.choice.finish_reason
    return ended if ended in ("length", "refusal") else draft.request.contract.kind
