"""What is sent again, and when."""

import pytest

from server.engines.openai.retry import Retry, Trouble

RETRY = Retry(repeats=2, first=0.1, longest=0.3, patience=5.0)


def delay(tried: int, failure: Trouble | int, **more: float | bool | None) -> float | None:
    given = {"retry_after": None, "elsewhere": False, "chance": 0.5, **more}
    return RETRY.delay(tried, failure, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", ["connect", "connect_timeout", "reset", 429, 502, 503])
def test_what_failed_before_an_answer_is_sent_again(failure: Trouble | int) -> None:
    assert delay(1, failure) == 0.05


@pytest.mark.parametrize("failure", ["read_timeout", "total_timeout", "too_long", "protocol", 400, 401, 404, 422, 500, 504])
def test_what_would_fail_or_cost_again_is_not(failure: Trouble | int) -> None:
    assert delay(1, failure) is None


def test_the_tries_are_bounded() -> None:
    assert delay(2, "connect") is not None
    assert delay(3, "connect") is None


def test_the_jitter_fills_a_doubling_bound() -> None:
    assert [RETRY.delay(n, 503, retry_after=None, elsewhere=False, chance=1.0) for n in (1, 2)] == [0.1, 0.2]
    assert Retry(9, 0.1, 0.3).delay(5, 503, retry_after=None, elsewhere=False, chance=1.0) == 0.3


def test_another_replica_is_tried_at_once() -> None:
    assert delay(1, 503, elsewhere=True, retry_after=60.0) == 0.0


def test_retry_after_is_honoured_or_ends_it() -> None:
    assert delay(1, 429, retry_after=2.0) == 2.05
    assert delay(1, 429, retry_after=60.0) is None
