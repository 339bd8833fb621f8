"""Guided decoding: whatever the model would rather say, the answer keeps its contract."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
from llguidance import LLMatcher, LLParserLimits

from router import contract as contracts
from router.errors import EngineRejected
from router.types import Choice, Contract, Evidence, Tool
from server.engines.embedded.engine import load
from server.engines.embedded.grammar import Guide

PERSON = {
    "type": "object",
    "properties": {
        "zeta": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["a", "b", None, True]}, "maxItems": 3},
        "when": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
    },
    "required": ["zeta", "age", "tags", "when"],
    "additionalProperties": False,
}


def schema(value: dict[str, object]) -> Contract:
    return Contract("json_schema", json.dumps(value, sort_keys=True), value)


def text_of(chunks) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize("seed", range(8))
async def test_an_answer_always_validates(any_engine, ask, read, seed: int) -> None:
    chunks = await read(any_engine.stream(ask(contract=schema(PERSON), temperature=1.5, seed=seed)))
    text = text_of(chunks)
    jsonschema_rs.validator_for(PERSON).validate(json.loads(text))
    assert chunks[-1].finish_reason == "stop"


async def test_tools_beside_a_form_give_a_call_or_the_form(any_engine, ask, read) -> None:
    label = {"enum": ["a", "b"]}
    form = {
        "type": "object",
        "properties": {"l": {"$ref": "#/$defs/l"}},
        "required": ["l"],
        "additionalProperties": False,
        "$defs": {"l": label},
    }
    offered = Tool("go", {"type": "object", "properties": {"far": {"type": "boolean"}}, "required": ["far"], "additionalProperties": False})
    contract = contracts.tools((offered,), form=contracts.json_schema(form))
    seen = set()
    for seed in range(12):
        text = text_of(await read(any_engine.stream(ask(contract=contract, temperature=2.0, seed=seed, max_tokens=400))))
        assert not contracts.check(contract, Choice(text, "stop")), text
        seen |= json.loads(text).keys()
    assert seen <= {"message", "tool_calls"}


async def test_json_is_compact_and_its_properties_stand_in_the_order_of_the_schema(any_engine, ask, read) -> None:
    text = text_of(await read(any_engine.stream(ask(contract=schema(PERSON)))))
    assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    assert list(json.loads(text)) == list(PERSON["properties"])


@pytest.mark.parametrize("pattern", [r"[0-9]{3}-[a-c]{2}", r"^(yes|no)!?$", r"\d{1,4}", "é{2,4}"])
async def test_an_answer_matches_its_pattern(any_engine, ask, read, pattern: str) -> None:
    text = text_of(await read(any_engine.stream(ask(contract=Contract("regex", pattern), temperature=1.0, seed=1))))
    assert re.fullmatch(pattern, text)


async def test_an_answer_is_one_of_the_choices(any_engine, ask, read) -> None:
    choices = ("yes", "yes, but", "a.b (c) \\ *", "żółw\n")
    contract = Contract("choice", json.dumps(choices), choices=choices)
    for seed in range(10):
        assert text_of(await read(any_engine.stream(ask(contract=contract, temperature=2.0, seed=seed)))) in choices


async def test_an_answer_is_in_the_grammar(any_engine, ask, read) -> None:
    contract = Contract("grammar", 'start: "(" start ")" | "x"')
    text = text_of(await read(any_engine.stream(ask(contract=contract, max_tokens=200, temperature=1.0, seed=2))))
    assert re.fullmatch(r"\(*x\)*", text)
    assert text.count("(") == text.count(")")


async def test_json_object_gives_an_object(engine, ask, read) -> None:
    contract = Contract("json_object", '{"type":"object"}', {"type": "object"})
    text = text_of(await read(engine.stream(ask(contract=contract, max_tokens=1))))
    assert text.startswith("{")


@pytest.mark.parametrize(
    "contract",
    [
        Contract("regex", "(a"),
        Contract("regex", "(?=a)a"),
        Contract("grammar", "start: ("),
        schema({"type": "integer", "minimum": 5, "maximum": 3}),
        schema({"type": "string", "pattern": "(?!x)y"}),
    ],
    ids=lambda contract: contract.text,
)
async def test_a_contract_that_cannot_be_compiled_is_rejected_and_said_to_be_unsupported(engine, ask, read, contract: Contract) -> None:
    assert not engine.supports(contract)
    with pytest.raises(EngineRejected, match=f"{contract.kind} contract"):
        await read(engine.stream(ask(contract=contract)))


def test_a_grammar_that_outgrows_its_limits_is_an_error_not_an_end(random_folder: Path) -> None:
    brain = load(random_folder)
    grammar = LLMatcher.grammar_from_regex("(a|b)*a(a|b){18}c")
    tight = LLParserLimits(step_lexer_fuel=50, max_lexer_states=50)
    guide = Guide(LLMatcher(brain.vocabulary.guidance, grammar, log_level=0, limits=tight), brain.vocabulary.size)

    def advance() -> None:
        while guide.allowed().any():
            guide.accept(brain.vocabulary.encode("a"))

    with pytest.raises(EngineRejected, match="guided decoding failed"):
        advance()


async def test_keywords_that_no_grammar_expresses_loosen_the_guide(engine, ask, read) -> None:
    contract = schema({"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True, "maxItems": 4})
    assert engine.supports(contract)
    assert isinstance(json.loads(text_of(await read(engine.stream(ask(contract=contract))))), list)


async def test_forced_tokens_are_not_free_and_certain_after_the_mask(any_engine, ask, read) -> None:
    constant = {"type": "object", "properties": {"kind": {"const": "timer"}}, "required": ["kind"], "additionalProperties": False}
    chunks = await read(any_engine.stream(ask(contract=schema(constant), evidence=Evidence.LOGPROBS)))
    tokens = [token for chunk in chunks for token in chunk.tokens]
    assert text_of(chunks) == '{"kind":"timer"}'
    assert not any(token.free for token in tokens)
    assert all(token.logprob == 0.0 and token.raw_logprob < 0.0 for token in tokens)


async def test_evidence_does_not_change_what_is_said(any_engine, ask, read) -> None:
    plain = await read(any_engine.stream(ask(contract=schema(PERSON))))
    weighed = await read(any_engine.stream(ask(contract=schema(PERSON), evidence=Evidence.LOGPROBS)))
    assert text_of(plain) == text_of(weighed)
    assert [t.text for c in plain for t in c.tokens] == [t.text for c in weighed for t in c.tokens]
