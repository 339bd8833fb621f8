"""Places among those in flight: bounded altogether, by key and by route, and shared where they are scarce."""

from contextlib import ExitStack, suppress

import pytest

from router.errors import Overloaded
from server.access.admission import Admission


def fill(held: ExitStack, admission: Admission, key: str, tries: int) -> int:
    """How many of these tries got a place."""
    got = 0
    for _ in range(tries):
        with suppress(Overloaded):
            held.enter_context(admission.slot(key))
            got += 1
    return got


def test_one_key_may_have_all_places_and_no_more() -> None:
    admission = Admission(4)
    with ExitStack() as held:
        assert fill(held, admission, "a", 9) == 4
    assert admission.inflight == 0


def test_a_key_that_was_refused_under_its_share_gets_the_next_places() -> None:
    admission = Admission(4, clock=lambda: 0.0)
    with ExitStack() as greedy, ExitStack() as modest:
        assert fill(greedy, admission, "a", 4) == 4
        assert fill(modest, admission, "b", 1) == 0
        one = greedy.pop_all()
        with one:
            pass
        assert fill(greedy, admission, "a", 4) == 2, "its share, while the other's claim stands"
        assert fill(modest, admission, "b", 4) == 2


def test_the_share_of_a_key_that_wants_less_is_free_for_the_others() -> None:
    admission = Admission(6)
    with ExitStack() as held:
        assert fill(held, admission, "b", 1) == 1
        assert fill(held, admission, "a", 9) == 5


def test_a_claim_that_nobody_comes_back_for_ends() -> None:
    now = [0.0]
    admission = Admission(2, clock=lambda: now[0])
    with ExitStack() as held:
        fill(held, admission, "a", 2)
        assert fill(held, admission, "b", 1) == 0
    with ExitStack() as held:
        assert fill(held, admission, "a", 2) == 1
        now[0] = 60.0
        assert fill(held, admission, "a", 2) == 1


def test_a_key_and_a_route_may_have_bounds_of_their_own() -> None:
    admission = Admission(9, per_key=2, per_route={"dear": 1})
    with ExitStack() as held:
        assert fill(held, admission, "a", 5) == 2
        assert fill(held, admission, "b", 5) == 2
    with admission.slot("a") as one, admission.slot("b") as other:
        one.on("dear")
        with pytest.raises(Overloaded, match="1 requests are in flight on this model"):
            other.on("dear")
        other.on("cheap")
    with admission.slot("b") as other:
        other.on("dear")
        assert admission.inflight == 1


def test_a_place_that_was_handed_on_is_given_back_once_and_by_who_holds_it_now() -> None:
    heard: list[tuple[str, int]] = []
    admission, account = Admission(1, told=lambda route, change: heard.append((route, change))), ExitStack()
    account.callback(heard.append, ("account", -1))
    with admission.slot("a") as first:
        first.also = account
        first.on("cheap")
        later = first.handed_on()
    assert (admission.inflight, heard) == (1, [("cheap", 1)])
    for _ in range(2):
        with later:
            pass
    assert (admission.inflight, heard) == (0, [("cheap", 1), ("cheap", -1), ("account", -1)])
