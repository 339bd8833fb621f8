"""A small tier reads a sketch of the form and examples first; what one caller said is never an example for another."""

import json
from typing import Any

import pytest

from router import contract as contracts
from router.contract.schema import Limits
from router.contract.sketch import MOST, signature, sketch
from router.functions import Registry, function
from router.schemafirst import Example, Proven, Taught, guide, nearest
from router.types import (
    Attempt,
    Choice,
    Decision,
    Generation,
    GenerationRequest,
    Message,
    Outcome,
    Part,
    Ruling,
    Tool,
    ToolChoice,
    Usage,
    Verdict,
)

NODE = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/node"}}, "required": ["name"]}


@function(examples=(("wait five minutes", {"minutes": 5}), ("a quarter of an hour", {"minutes": 15})))
def set_timer(minutes: int) -> None:
    """Start a countdown."""


@function(examples=(("call Ann", {"to": "Ann"}),))
def make_call(to: str) -> None:
    """Call somebody."""


REGISTRY = Registry.of(set_timer, make_call)
TOOLS = contracts.tools(REGISTRY.tools())


def asked(text: str = "wait two minutes", owner: str = "", contract: Any = TOOLS) -> GenerationRequest:
    return GenerationRequest("r", "auto", (Message("user", (Part("text", text),)),), contract, owner=owner)


def answered(text: str, ruling: Ruling = Ruling.ACCEPT, code: str = "ok") -> Outcome:
    generation = Generation((Choice(text, "stop"),), Usage())
    attempt = Attempt("small", "try", generation, verdicts=(Verdict("contract", ruling),))
    return Outcome("r", "auto", Decision(("small", "large")), (attempt,), 0, code)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date"}, "string date"),
        ({"type": "string", "pattern": "^a+$"}, "string ^a+$"),
        ({"type": "integer", "minimum": 1, "maximum": 7}, "integer 1..7"),
        ({"type": "number", "exclusiveMinimum": 0}, "number 0.."),
        ({"type": ["string", "null"]}, "string | null"),
        ({"enum": ["a", 1, None]}, '"a"|1|null'),
        ({"const": True}, "true"),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 3}, "[boolean] ..3"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "string | integer"),
        ({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"const": 1}}}, "1"),
        ({"type": "object"}, "object"),
        ({}, "any"),
        ({"$ref": "http://elsewhere/"}, "any"),
        (
            {"properties": {"a": {"type": "string", "description": "a\n name", "default": "x"}, "b": {}}, "required": ["b"]},
            '{a?: string = "x" (a name), b: any}',
        ),
        ({"$ref": "#/$defs/node", "$defs": {"node": NODE}}, "{name: string, next?: any}"),
    ],
)
def test_a_schema_in_short(schema: dict[str, Any], told: str) -> None:
    assert sketch(schema) == told


def test_references_that_multiply_are_told_up_to_a_bound() -> None:
    defs: dict[str, Any] = {f"d{at}": {"properties": {name: {"$ref": f"#/$defs/d{at + 1}"} for name in "abcdefgh"}} for at in range(12)}
    told = sketch({"$ref": "#/$defs/d0", "$defs": defs | {"d12": {"type": "string"}}})
    assert len(told) < 12 * MOST


@pytest.mark.parametrize(
    "schema",
    [{"properties": 1}, {"enum": 1, "type": 2}, {"anyOf": 3}, {"type": "array", "items": [1]}, {"required": 1, "properties": {"a": 1}}],
)
def test_odd_schemas_are_told_all_the_same(schema: dict[str, Any]) -> None:
    assert isinstance(sketch(schema), str)


def test_the_sketch_of_a_tool_is_shorter_than_its_schema_and_names_everything() -> None:
    from server.assistant import registry

    for tool in registry.tools():
        told, whole = signature(tool), json.dumps(dict(tool.parameters))
        assert len(told) < len(tool.name + tool.description + whole)
        assert all(name in told for name in tool.parameters["properties"])  # type: ignore[attr-defined]


def test_a_guide_says_what_the_tool_choice_leaves_over() -> None:
    named = contracts.tools(REGISTRY.tools(), ToolChoice("named", ("make_call",)), parallel=False)
    told = guide(named)
    assert "make_call(to: string): Call somebody." in told
    assert "set_timer" not in told
    assert "one function at most" in told
    assert '{"message":TEXT}' not in told
    assert '{"message":TEXT}' in guide(TOOLS)


def test_prose_and_patterns_have_no_guide() -> None:
    assert [guide(form) for form in (contracts.text(), contracts.regex("a+"), contracts.json_object())] == ["", "", ""]


def test_examples_are_those_of_the_offered_functions_and_the_likest_stands_last() -> None:
    found = Taught(REGISTRY).pick(asked("wait two minutes"), TOOLS, 2, "small")
    assert [example.request for example in found][-1] == "wait five minutes"
    only = contracts.tools(REGISTRY.tools("make_call"))
    assert [example.request for example in Taught(REGISTRY).pick(asked(), only, 5, "small")] == ["call Ann"]
    namesake = contracts.tools([Tool("make_call", {"type": "object", "properties": {"number": {"type": "string"}}})])
    assert Taught(REGISTRY).pick(asked(), namesake, 5, "small") == []


def test_an_example_whose_arguments_are_wrong_is_refused_when_it_is_declared() -> None:
    with pytest.raises(ValueError, match="wait: example"):

        @function(examples=(("wait", {"minutes": "five"}),))
        def wait(minutes: int) -> None:
            """Wait."""


def test_what_was_proven_is_an_example_for_the_same_caller_alone() -> None:
    bank, answer = Proven(), '{"tool_calls":[{"name":"set_timer","arguments":{"minutes":3}}]}'
    bank.observe(asked("wait three minutes", "ann"), answered(answer))
    assert bank.pick(asked(owner="ann"), TOOLS, 3, "small") == [Example("wait three minutes", answer)]
    assert bank.pick(asked(owner="bob"), TOOLS, 3, "small") == []
    assert bank.pick(asked("wait three minutes", "ann"), TOOLS, 3, "small") == []
    assert bank.pick(asked(owner="ann"), contracts.tools(REGISTRY.tools("make_call")), 3, "small") == []


@pytest.mark.parametrize(
    "outcome",
    [answered("{}", Ruling.NOT_APPLICABLE), answered("{}", code="cancelled"), answered("x" * 5000)],
    ids=["unvouched", "left", "long"],
)
def test_what_nobody_vouched_for_is_no_example(outcome: Outcome) -> None:
    bank = Proven()
    bank.observe(asked("wait"), outcome)
    assert bank.pick(asked(), TOOLS, 3, "small") == []


def test_the_memory_of_what_was_proven_is_bounded() -> None:
    bank = Proven()
    for number in range(300):
        bank.observe(asked(f"wait {number}", f"owner{number}"), answered("{}"))
    for number in range(100):
        bank.observe(asked(f"wait {number}", "ann"), answered("{}"))
    assert bank.pick(asked(owner="owner0"), TOOLS, 3, "small") == []
    assert len(bank.pick(asked(owner="ann"), TOOLS, 1000, "small")) == 64


def test_nothing_is_picked_where_nothing_is_wanted() -> None:
    assert nearest("a", [Example("a", "{}")], 0) == []


def test_limits_of_schemas_hold_for_what_is_sketched() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(Limits().depth - 2):
        deep = {"type": "array", "items": deep}
    assert sketch(deep).count("[") == Limits().depth - 2


def test_a_form_beside_the_tools_is_sketched_in_the_place_of_the_message() -> None:
    form = contracts.json_schema({"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]})
    assert 'or {"message":{minutes: integer}}' in guide(contracts.tools(REGISTRY.tools(), form=form))
