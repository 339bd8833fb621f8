"""The circuit breaker's states."""

from server.engines.openai.breaker import Breaker


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(limit=2, pause=5.0, longest=15.0)
    return breaker.failed(at).failed(at)


def test_it_opens_after_failures_in_a_row() -> None:
    assert Breaker(limit=2).failed(0).admits(0)
    assert not opened().admits(4.9)


def test_a_success_between_failures_keeps_it_closed() -> None:
    assert Breaker(limit=2).failed(0).succeeded().failed(0).admits(0)


def test_after_its_pause_it_admits_one_probe() -> None:
    rested = opened()
    assert rested.admits(5.0)
    assert not rested.sent().admits(5.0)


def test_a_good_probe_closes_it() -> None:
    assert opened().sent().succeeded() == Breaker(limit=2, pause=5.0, longest=15.0)


def test_a_failed_probe_doubles_the_pause_up_to_the_longest() -> None:
    once = opened().sent().failed(5.0)
    assert not once.admits(14.9)
    assert once.admits(15.0)
    assert once.sent().failed(15.0).wait == 15.0


def test_a_probe_that_says_nothing_makes_room_for_the_next() -> None:
    assert opened().sent().released().admits(5.0)


def test_a_late_failure_of_an_old_call_keeps_it_open() -> None:
    assert not opened(0.0).failed(4.0).admits(6.0)
