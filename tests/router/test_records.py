"""The nouns are values: what is equal is the same to a set, and to whoever remembers by it."""

import copy
import pickle
from dataclasses import field, replace

import pytest

from router.types import Attempt, Choice, Contract, Decision, Draft, GenerationRequest, Message, Outcome, Part, Tab, Usage
from router.types.records import record

REQUEST = GenerationRequest("one", "auto", (Message("user", (Part("text", "Hello"),)),))


def test_records_of_the_same_values_are_one() -> None:
    said = Message("user", (Part("text", "Hello"),))
    assert {said, Message("user", (Part("text", "Hello"),))} == {said}
    assert {Usage(1), replace(Usage(2), prompt_tokens=1)} == {Usage(1)}


def test_what_was_made_of_a_contract_is_made_once_and_is_no_part_of_it() -> None:
    first, second = Contract("regex", "a+"), Contract("regex", "a+")
    made = [first.once("length", lambda contract: [len(contract.text)]) for _ in range(2)]
    assert made[0] is made[1] == [2]
    assert first == second
    assert hash(first) == hash(second)
    assert replace(first, text="aa").once("length", lambda contract: [len(contract.text)]) == [2]


@pytest.mark.parametrize(
    ("handed", "name"),
    [
        (Message("user"), "role"),
        (REQUEST, "route"),
        (Draft(REQUEST, "small", Choice("Hi", "stop")), "tier"),
        (Attempt("small", "try", 1.0), "cost"),
        (Outcome("one", "auto", Decision(()), (), None), "code"),
    ],
)
def test_what_observers_and_other_peoples_checks_are_handed_cannot_be_changed(handed: object, name: str) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(handed, name, None)


@record(slots=True)
class Count:
    """Made with a number, and with what it sets itself."""

    start: int
    seen: list[int] = field(default_factory=list)
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.start


def test_a_record_that_may_change_has_its_own_defaults_and_is_no_key() -> None:
    first, second = Count(1), Count(1)
    first.seen.append(7)
    assert (first.twice, second.seen) == (2, [])
    assert first != second == Count(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(first)
    with pytest.raises(AttributeError):
        setattr(first, "more", 1)  # noqa: B010  # which the type checker sees
    with pytest.raises(TypeError, match="start"):
        Count()  # type: ignore[call-arg]


def test_what_is_said_to_be_no_part_of_a_record_is_neither_compared_nor_shown() -> None:
    draft = Draft(REQUEST, "small", Choice("Hi", "stop"))
    assert draft == Draft(REQUEST, "small", Choice("Hi", "stop"), tab=Tab(1.0))
    assert "Tab" not in repr(draft)
    assert replace(draft, tier="large").tab is draft.tab


def test_records_are_copied_and_pickled() -> None:
    assert pickle.loads(pickle.dumps(REQUEST)) == copy.deepcopy(REQUEST) == copy.copy(REQUEST) == REQUEST  # noqa: S301
