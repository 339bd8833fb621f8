"""The nouns are values: what is equal is the same to a set, and to whoever remembers by it."""

from dataclasses import FrozenInstanceError, replace

import pytest

from router.types import Attempt, Choice, Contract, Decision, Draft, GenerationRequest, Message, Outcome, Part, Usage

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
        (REQUEST, "route"),
        (Draft(REQUEST, "small", Choice("Hi", "stop")), "tier"),
        (Attempt("small", "try", 1.0), "cost"),
        (Outcome("one", "auto", Decision(()), (), None), "code"),
    ],
)
def test_what_observers_and_other_peoples_checks_are_handed_cannot_be_changed(handed: object, name: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(handed, name, None)
