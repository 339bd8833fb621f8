"""What may be sent again, and when: only what failed before the first byte of an answer, and not what will fail again."""

from dataclasses import dataclass
from typing import Literal

Trouble = Literal[
    "connect", "certificate", "connect_timeout", "reset", "read_timeout", "total_timeout", "too_long", "compressed", "protocol"
]
"""What can go wrong with one exchange below the level of statuses."""

SAFE_TROUBLES: frozenset[Trouble] = frozenset({"connect", "connect_timeout", "reset"})
SAFE_STATUSES = frozenset({429, 502, 503})


def may_repeat(failure: Trouble | int) -> bool:
    """Whether a call that ended with this trouble or status, before any byte of an answer, may be sent again."""
    return failure in SAFE_STATUSES if isinstance(failure, int) else failure in SAFE_TROUBLES


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `repeats` more tries, with full jitter up to a doubling bound (seconds); a Retry-After beyond `patience` ends them."""

    repeats: int = 2
    first: float = 0.1
    longest: float = 2.0
    patience: float = 5.0

    def delay(self, tried: int, failure: Trouble | int, *, retry_after: float | None, elsewhere: bool, chance: float) -> float | None:
        """Seconds to wait before the next try, `None` for no more; `chance` is in [0, 1), `elsewhere` says another replica is free."""
        if tried > self.repeats or not may_repeat(failure):
            return None
        if elsewhere:
            return 0.0
        backoff = chance * min(self.longest, self.first * 2.0 ** (tried - 1))
        if retry_after is None:
            return backoff
        return None if retry_after > self.patience else retry_after + backoff
