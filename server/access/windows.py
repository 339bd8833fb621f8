"""The periods that rates and budgets are counted in: minutes, days and months of UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from server.access.keys import Period

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Windows:
    """Names of the day and the month of a moment, and when they end, in seconds since the epoch."""

    day: str
    month: str
    day_ends: float
    month_ends: float

    @classmethod
    def at(cls, now: float) -> "Windows":
        """Those of that moment."""
        today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
        ends = (today + timedelta(days=1)).timestamp(), following.timestamp()
        return cls(f"{today:%Y-%m-%d}", f"{today:%Y-%m}", *ends)

    def of(self, period: Period) -> tuple[str, float]:
        """The period's name and its end."""
        return (self.day, self.day_ends) if period == "day" else (self.month, self.month_ends)


def minute(now: float, back: int = 0) -> str:
    """The name of a minute, `back` minutes ago."""
    return f"m{int(now // MINUTE) - back}"


def rolling(before: float, now: float, within: float) -> float:
    """About the requests of the last minute: all of this one and the rest of the one before, taken as evenly spread.

    `before` and `now` are the counts of the two, `within` is in seconds from the beginning of this one.
    """
    return before * (1 - within / MINUTE) + now


def wait(before: float, now: float, within: float, rate: int) -> float:
    """Seconds until `rolling` is below `rate` again if nobody asks meanwhile; 0 where it is."""
    if rolling(before, now, within) < rate:
        return 0.0
    if now >= rate:
        return MINUTE - within + MINUTE * (1 - rate / now) + _AFTER
    return MINUTE * (1 - (rate - now) / before) - within + _AFTER


_AFTER = 0.001
"""At the very moment it is not yet below."""
