"""What waits in a tally is told as if each outcome had been told by itself."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from server.observers.tally import MOST, Spread, Tally

BUCKETS = (0.1, 0.5, 1.0)
AMOUNTS = st.lists(st.sampled_from((*BUCKETS, 0.0)) | st.floats(0, 9), min_size=1)


@given(AMOUNTS)
def test_a_spread_shows_what_a_histogram_does_that_observed_them_one_by_one(amounts: list[float]) -> None:
    at_once, singly = Spread("x", "x", buckets=BUCKETS, registry=None), Histogram("x", "x", buckets=BUCKETS, registry=None)
    at_once.see(amounts)
    for amount in amounts:
        singly.observe(amount)
    shown, expected = ({s.name + str(s.labels): s.value for m in one.collect() for s in m.samples} for one in (at_once, singly))
    created, total = "x_created{}", "x_sum{}"
    assert abs(shown.pop(total) - expected.pop(total)) < 1e-9
    assert {name: value for name, value in shown.items() if name != created} == {n: v for n, v in expected.items() if n != created}


def test_what_an_outcome_lacks_does_not_count_and_too_many_do_not_wait() -> None:
    registry, told = CollectorRegistry(), list[float]()
    counter = Counter("x", "x", registry=registry)
    tally = Tally((counter,), (told.extend, lambda known: None))
    for number in range(MOST):
        assert not told
        tally.add((None if number % 2 else 1.0, 2.0))
    assert told == [1.0] * (MOST // 2)
    tally.settle()
    assert registry.get_sample_value("x_total") == MOST
