"""The early abort: a running draft is given up as soon as nothing good can come of it any more.

What is certain is certain: a form that no continuation can keep. The other two are the operator's own limits: how unsure a draft may be
while it runs, and how long it may become; neither is a certificate.
"""

from dataclasses import dataclass

from router.contract.prefix import Prefix
from router.scores.tokens import doubts
from router.types import Chunk, Contract, Evidence, Reason, Ruling, Verdict, Violation
from router.verification import Verification

_CANNOT = Violation("", "can no longer become valid")


@dataclass(frozen=True, slots=True)
class Early:
    """When to give up a draft, besides where its form is lost.

    `limit` is the least running mean log-probability of the free tokens in nats, asked once `after` of them came; `tokens` is how many a
    draft may have.
    """

    limit: float | None = None
    after: int = 8
    tokens: int | None = None

    @property
    def needs(self) -> Evidence:
        """Log-probabilities, where there is a limit."""
        return Evidence.NONE if self.limit is None else Evidence.LOGPROBS

    def watches(self, contract: Contract) -> bool:
        """Whether a draft of this form can be given up at all."""
        return contract.kind != "none" or self.limit is not None or self.tokens is not None


class Watch:
    """One choice of a draft as it comes; its work is the same for each token, however long the draft."""

    __slots__ = ("_count", "_early", "_known", "_prefix", "_sum")

    def __init__(self, early: Early, contract: Contract) -> None:
        self._early, self._prefix = early, Prefix(contract)
        self._count, self._known, self._sum = 0, 0, 0.0

    def feed(self, chunk: Chunk) -> Verification | None:
        """Take the next piece; what is said of the draft once it is hopeless."""
        self._count += len(chunk.tokens) or (chunk.pieces if chunk.text or chunk.reasoning else 0)
        found = doubts(token for token in chunk.tokens if token.free is not False)
        self._known += len(found)
        self._sum += sum(found)
        if not self._prefix.feed(chunk.text):
            return _given_up("contract", Verdict("contract", Ruling.DEFER, "hopeless", violations=(_CANNOT,)))
        if self._unsure():
            return _given_up("confidence", Verdict("confidence", Ruling.DEFER, "hopeless", score=-self._sum / self._known))
        return _given_up("length", Verdict("contract", Ruling.DEFER, "too_many_tokens")) if self._long(chunk) else None

    def _unsure(self) -> bool:
        limit = self._early.limit
        return limit is not None and self._known >= self._early.after and self._sum / self._known < limit

    def _long(self, chunk: Chunk) -> bool:
        """A draft that ends with its last permitted token is whole."""
        most = self._early.tokens
        return most is not None and self._count >= most + (chunk.finish_reason is not None)


def _given_up(reason: Reason, verdict: Verdict) -> Verification:
    return Verification((verdict,), reason)
