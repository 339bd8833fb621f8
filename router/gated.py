"""The gated commit: the first tokens of prose are held back and judged; what passes is shown live from there on.

A calibration was fitted on whole answers, so what it says of a beginning is a ranking and no certificate; a limit is the operator's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from router.policy import Rules
from router.ports import Verifier
from router.scores.tokens import doubts
from router.types import Choice, Chunk, Draft, Ruling, Verdict
from router.verification import Verification, reason, verify

JUDGES = frozenset({"contract", "function", "confidence"})
"""Verifiers that a gated route may have: any other judges whole answers, and would come too late."""


@dataclass(frozen=True, slots=True)
class Gated:
    """Hold back `tokens` tokens; `limit` is their least mean log-probability in nats, `None` asks the route's confidence verifier."""

    tokens: int = 24
    limit: float | None = None

    async def judge(self, verifiers: Sequence[Verifier], draft: Draft, rules: Rules) -> Verification:
        """What is said of a beginning; without any evidence it is not shown."""
        if self.limit is None:
            asked = [verifier for verifier in verifiers if verifier.kind == "confidence"]
            return await verify(asked, draft, replace(rules, when_all_abstain="defer"))
        verdict = self._verdict(draft.choice, self.limit)
        return Verification((verdict,), None if verdict.ruling is Ruling.ACCEPT else reason(verdict, draft))

    def _verdict(self, choice: Choice, limit: float) -> Verdict:
        found = doubts(token for token in choice.tokens if token.free is not False)
        if not found:
            return Verdict("confidence", Ruling.UNABLE, "evidence_missing")
        mean = sum(found) / len(found)
        kept = mean >= limit
        return Verdict("confidence", Ruling.ACCEPT if kept else Ruling.DEFER, "" if kept else "under_gate_limit", score=-mean)


def length(chunks: Sequence[Chunk]) -> int:
    """Tokens; a piece without token details counts as one."""
    return sum(len(chunk.tokens) or (chunk.pieces if chunk.text or chunk.reasoning else 0) for chunk in chunks)
