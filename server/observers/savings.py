"""What a route's last tier alone would have cost: the yardstick for what the cascade saves."""

from dataclasses import dataclass

from router.types import Attempt, Outcome, Price


@dataclass(slots=True)
class Yardstick:
    """The last tier of a route and its price.

    An answer that it gave itself had cost the same without the tiers before it. An answer of a smaller tier is priced by its own tokens at
    the last tier's price, what was cached as cached there too: the same words, or about as many. By the hour that price is what the last
    tier's calls have cost a token so far.
    """

    tier: str
    price: Price
    _spent: float = 0.0
    _tokens: int = 0

    def compared(self, outcome: Outcome) -> float | None:
        """What the answer of this outcome had cost on the last tier; `None` where there is none. By the hour its calls are learned from."""
        if self.price.hour is not None:
            for attempt in outcome.attempts:
                self._learn(attempt)
        return None if outcome.answer is None or outcome.code != "ok" else self.dollars(outcome.attempts[outcome.answer])

    def dollars(self, kept: Attempt) -> float | None:
        """What the kept answer had cost on the last tier; `None` while nothing tells."""
        if kept.tier == self.tier:
            return kept.cost
        if self.price.hour is None:
            return self.price.of(kept.usage)
        return self._spent / self._tokens * kept.usage.total_tokens if self._tokens else None

    def _learn(self, attempt: Attempt) -> None:
        """See what a call of the last tier cost."""
        if attempt.tier == self.tier:
            self._spent += attempt.cost
            self._tokens += attempt.usage.total_tokens
