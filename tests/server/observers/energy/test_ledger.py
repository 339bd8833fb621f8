"""A counter's amounts are shared by tokens among the calls that ran meanwhile; nothing is lost, nothing is made up."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.observers.energy.ledger import Call, Crew, Lane, Ledger

WATTS = 100.0


def ledger(**weights: float) -> Ledger:
    lanes = {engine: Lane(weight) for engine, weight in (weights or {"llm": 1.0}).items()}
    made = Ledger(every=1.0, lanes=lanes)
    made.read(0.0, 0.0)
    return made


def balance(book: Ledger) -> float:
    return book.charged + book.idle + book.elsewhere + book.pot


def test_a_call_alone_takes_all_that_was_drawn_while_it_ran() -> None:
    book = ledger()
    book.read(100.0, 10.0)  # 10 W at rest
    call = book.begin("llm", 10.0)
    book.read(100.0 + WATTS * 2, 12.0)
    assert book.end(call, 50, 12.0) == pytest.approx(WATTS * 2)
    assert book.idle == pytest.approx(100.0)


def test_what_is_drawn_around_a_call_is_idle_at_the_rate_seen_at_rest() -> None:
    book = ledger()
    book.read(100.0, 10.0)
    call = book.begin("llm", 12.0)
    book._pass(14.0)
    book.read(100.0 + 2 * 10.0 + 2 * WATTS, 14.0)
    assert book.end(call, 50, 14.0) == pytest.approx(2 * WATTS)
    assert book.idle == pytest.approx(120.0)


def test_two_calls_that_ran_together_share_by_their_tokens() -> None:
    book = ledger()
    one, other = book.begin("llm", 0.0), book.begin("llm", 0.0)
    for call, made in ((one, 30), (other, 10)):
        book.show(call, made)
    book.read(WATTS * 4, 4.0)
    first = book.end(one, 30, 4.0)
    second = book.end(other, 10, 4.0)
    assert (first, second) == (pytest.approx(300.0), pytest.approx(100.0))


def test_a_call_that_shows_no_tokens_is_taken_to_go_at_its_engines_usual_pace() -> None:
    """A JSON completion tells its tokens only at its end: until then it counts as one of its kind."""
    book = ledger()
    early = book.begin("llm", 0.0)
    book.read(WATTS, 1.0)
    book.end(early, 10, 1.0)  # 10 tokens a second
    short, long = book.begin("llm", 1.0), book.begin("llm", 1.0)
    book.read(WATTS * 2, 2.0)
    assert book.end(short, 10, 2.0) == pytest.approx(50.0)
    book.read(WATTS * 3, 3.0)
    assert book.end(long, 20, 3.0) == pytest.approx(150.0)


def test_a_token_of_a_larger_model_on_the_same_counter_weighs_more() -> None:
    book = ledger(slm=1.0, llm=9.0)
    small, large = book.begin("slm", 0.0), book.begin("llm", 0.0)
    book.show(small, 10)
    book.show(large, 10)
    book.read(100.0, 1.0)
    assert (book.end(small, 10, 1.0), book.end(large, 10, 1.0)) == (pytest.approx(10.0), pytest.approx(90.0))


def test_between_readings_a_call_is_charged_at_the_last_rate_and_the_next_reading_puts_it_right() -> None:
    book = ledger()
    first = book.begin("llm", 0.0)
    book.read(WATTS, 1.0)
    book.end(first, 10, 1.0)
    second = book.begin("llm", 1.0)
    assert book.end(second, 5, 1.5) == pytest.approx(WATTS / 2)
    book.read(WATTS + 80.0, 2.0)
    assert balance(book) == pytest.approx(book.measured)


def test_a_counter_that_has_fallen_silent_makes_no_number() -> None:
    book = ledger()
    assert book.end(book.begin("llm", 99.0), 10, 100.0) is None
    assert Ledger(1.0, lanes={"llm": Lane()}).end(Call(Lane(), 0.0), 10, 1.0) is None


def test_a_counter_that_began_anew_is_a_new_beginning() -> None:
    book = ledger()
    book.read(500.0, 1.0)
    book.read(3.0, 2.0)
    book.read(4.0, 3.0)
    assert book.measured == pytest.approx(501.0)


def test_what_was_drawn_by_calls_without_a_number_is_charged_to_nobody_else() -> None:
    book = ledger()
    assert book.end(book.begin("llm", 1.0), 10, 60.0) is None
    waiting = book.begin("llm", 60.0)
    book.read(100 * WATTS, 100.0)
    assert book.end(waiting, 10, 101.0) is None
    after = book.begin("llm", 101.0)
    book.read(102 * WATTS, 102.0)
    assert book.end(after, 10, 102.0) == pytest.approx(WATTS)
    assert balance(book) == pytest.approx(book.measured)


def test_a_call_that_ran_all_the_while_a_counter_was_silent_has_its_number() -> None:
    book = ledger()
    call = book.begin("llm", 0.0)
    book.read(100 * WATTS, 100.0)
    assert book.end(call, 10, 100.0) == pytest.approx(100 * WATTS)


def test_a_call_in_which_the_counter_began_anew_has_no_number() -> None:
    book = ledger()
    book.read(500.0, 1.0)
    call = book.begin("llm", 1.0)
    book.read(3.0, 2.0)
    book.read(4.0, 3.0)
    assert book.end(call, 10, 3.0) is None
    assert balance(book) == pytest.approx(book.measured)


def test_a_counter_that_jumps_further_than_any_machine_can_draw_begins_anew() -> None:
    book = ledger()
    call = book.begin("llm", 0.0)
    book.read(9e15, 1.0)
    assert book.end(call, 10, 1.0) is None
    assert book.measured == 0.0


def test_a_counter_that_is_read_seldom_is_silent_only_after_several_of_its_intervals() -> None:
    book = ledger()
    book.read(30 * WATTS, 30.0)
    call = book.begin("llm", 30.0)
    book.read(60 * WATTS, 60.0)
    assert book.end(call, 10, 60.0) == pytest.approx(30 * WATTS)
    assert book.end(book.begin("llm", 80.0), 10, 90.0) == pytest.approx(10 * WATTS)
    assert book.end(book.begin("llm", 200.0), 10, 220.0) is None


class Elsewhere(Crew):
    """As many calls in another process."""

    def others(self) -> int:
        return 1


def test_another_process_on_the_same_counter_has_its_part_of_every_moment() -> None:
    book = Ledger(1.0, Elsewhere(size=2), {"llm": Lane()})
    book.read(0.0, 0.0)
    call = book.begin("llm", 0.0)
    book.read(WATTS, 1.0)
    assert book.end(call, 10, 1.0) == pytest.approx(WATTS / 2)
    assert book.elsewhere == pytest.approx(WATTS / 2)


@dataclass(slots=True)
class Beside(Crew):
    """The other one of two processes, which tells how many calls it runs."""

    size: int = 2
    told: int = 0
    other: "Beside | None" = None

    def tell(self, running: int) -> None:
        self.told = running

    def others(self) -> int:
        return self.other.told if self.other else 0


def test_two_processes_that_look_often_leave_nothing_of_a_shared_counter_to_nobody() -> None:
    """Their calls come together, as those of one crowd do; what was between two looks is taken as it is at its end."""
    crews = Beside(), Beside()
    crews[0].other, crews[1].other = crews[1], crews[0]
    books = [Ledger(1.0, crew, {"llm": Lane()}) for crew in crews]
    calls: dict[int, Call] = {}
    for step in range(10_000):  # of a millisecond
        now = step / 1000
        for number, book in enumerate(books):
            if step % 370 == number:
                calls[number] = book.begin("llm", now)
            if step % 370 == 50 + number:
                book.end(calls[number], 10, now)
            if step % 20 == 7 * number:
                book.look(now)
            if step % 1000 == 300 * number:
                book.read(now * WATTS, now)
    assert sum(book.charged + book.pot + book.idle for book in books) == pytest.approx(10 * WATTS, rel=0.12)
    assert sum(book.charged + book.pot for book in books) == pytest.approx(27 * 0.05 * WATTS, rel=0.2)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["begin", "end", "show", "read"]), st.floats(0.001, 3), st.integers(0, 400), st.floats(0, 500)),
    max_size=80,
)


@given(EVENTS)
def test_whatever_happens_charged_and_idle_and_what_waits_are_what_was_measured(
    events: list[tuple[str, float, int, float]],
) -> None:
    book, now, total, calls = ledger(slm=1.0, llm=7.5), 0.0, 0.0, []
    for index, (what, seconds, tokens, joules) in enumerate(events):
        now += seconds
        match what:
            case "begin":
                calls.append(book.begin("llm" if index % 2 else "slm", now))
            case "show" if calls:
                book.show(calls[tokens % len(calls)], tokens)
            case "end" if calls:
                charged = book.end(calls.pop(tokens % len(calls)), tokens, now)
                assert charged is None or charged >= 0.0
            case "read":
                total += joules
                assert book.read(total, now) >= 0.0
        assert balance(book) == pytest.approx(book.measured, abs=1e-6)
    assert book.measured == pytest.approx(total)
