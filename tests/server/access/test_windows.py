"""Minutes, days and months, and how long to wait."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.access.windows import MINUTE, Windows, rolling, wait


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "day", "month", "day_ends", "month_ends"),
    [
        ("2026-01-31T23:59:59", "2026-01-31", "2026-01", "2026-02-01", "2026-02-01"),
        ("2028-02-28T00:00:00", "2028-02-28", "2028-02", "2028-02-29", "2028-03-01"),
        ("2026-12-31T12:00:00", "2026-12-31", "2026-12", "2027-01-01", "2027-01-01"),
    ],
)
def test_days_and_months_end_where_the_calendar_says(now: str, day: str, month: str, day_ends: str, month_ends: str) -> None:
    assert Windows.at(at(now)) == Windows(day, month, at(day_ends), at(month_ends))


COUNTS = st.integers(0, 1000)


@given(before=COUNTS, now=COUNTS, within=st.floats(0, MINUTE, exclude_max=True), rate=st.integers(1, 1000))
def test_who_waits_as_long_as_told_is_served_and_nobody_waits_for_nothing(before: int, now: int, within: float, rate: int) -> None:
    seconds = wait(before, now, within, rate)
    if seconds == 0:
        assert rolling(before, now, within) < rate
        return
    later = within + seconds
    assert rolling(before, now, within) >= rate
    if later < MINUTE:
        assert rolling(before, now, later) < rate
    else:
        assert later < 2 * MINUTE + 1
        assert rolling(now, 0, min(later - MINUTE, MINUTE)) < rate
