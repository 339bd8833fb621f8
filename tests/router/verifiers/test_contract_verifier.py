"""The contract gate: keeps what keeps the contract, names what breaks it."""

import asyncio

import pytest

from router import contract as contracts
from router.contract.grammars import CannotCheck, matches
from router.registry import verifiers
from router.types import Choice, Contract, Draft, Evidence, FinishReason, GenerationRequest, Ruling, Tool, Verdict

OBJECT = contracts.json_schema({"type": "object", "required": ["a"]})


def judged(contract: Contract, text: str, finish: FinishReason = "stop", *, last: bool = False) -> Verdict:
    verifier = verifiers.build({"kind": "contract"}, "verifiers[0]")
    verdict = asyncio.run(verifier.judge(Draft(GenerationRequest("r", "auto", (), contract), "small", Choice(text, finish), last=last)))
    assert isinstance(verdict, Verdict)
    assert verdict.verifier == "contract"
    assert verdict.confidence is None
    return verdict


@pytest.mark.parametrize(
    ("contract", "good", "bad", "reason"),
    [
        (OBJECT, '{"a":1}', "{}", "json_schema"),
        (contracts.json_object(), "{}", "[]", "json_object"),
        (contracts.regex("a+"), "aa", "ab", "regex"),
        (contracts.choice(["yes", "no"]), "yes", "Yes.", "choice"),
        (contracts.grammar('start: "a"+'), "aa", "ab", "grammar"),
        (contracts.tools([Tool("f", {})]), '{"tool_calls":[{"name":"f","arguments":{}}]}', '{"tool_calls":[]}', "tools"),
    ],
)
def test_a_kept_contract_is_accepted_and_a_broken_one_defers(contract: Contract, good: str, bad: str, reason: str) -> None:
    assert judged(contract, good).ruling is Ruling.ACCEPT
    verdict = judged(contract, bad)
    assert (verdict.ruling, verdict.reason) == (Ruling.DEFER, reason)
    assert verdict.violations
    assert judged(contract, bad, last=True).ruling is Ruling.DEFER


def test_a_complete_answer_that_was_cut_off_still_defers() -> None:
    verdict = judged(OBJECT, '{"a":1}', "length")
    assert (verdict.ruling, verdict.reason) == (Ruling.DEFER, "length")


def test_an_empty_answer_defers() -> None:
    assert judged(OBJECT, " ").reason == "empty"
    assert judged(Contract(), "\n").ruling is Ruling.DEFER


def test_prose_is_not_its_business_and_on_the_last_tier_may_even_be_empty() -> None:
    assert judged(Contract(), "hi").ruling is Ruling.NOT_APPLICABLE
    assert judged(Contract(), "hi", "length").ruling is Ruling.NOT_APPLICABLE
    assert judged(Contract(), "", last=True).ruling is Ruling.NOT_APPLICABLE


def test_what_cannot_be_checked_is_never_accepted() -> None:
    unreadable = Contract("grammar", "start: nothing")
    with pytest.raises(CannotCheck):
        matches(unreadable.text, "a")
    assert judged(unreadable, "a").ruling is Ruling.UNABLE


def test_it_needs_nothing_but_the_text() -> None:
    assert verifiers.build({"kind": "contract"}, "verifiers[0]").needs is Evidence.NONE
