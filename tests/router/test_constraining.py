"""What an engine decodes by is what the answer is checked by, whatever drafts the client's schemas state."""

import json
from typing import Any

import pytest

from router import contract as contracts
from router.contract import check, constrain
from router.contract.constraining import modern
from router.contract.schema import every, validator
from router.types import Choice, Schema, Tool

FOUR, SIX, SEVEN = (f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 6, 7))
NINETEEN, TWENTY = "https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema"
OLDER = (FOUR, SIX, SEVEN, NINETEEN)
PAIR = [{"type": "integer"}, {"type": "string"}]
NUMBER = {"$ref": "#/definitions/n", "minimum": 5, "definitions": {"n": {"type": "integer"}}}


@pytest.mark.parametrize("draft", OLDER)
@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"items": PAIR}, [[1, "a"], ["a", 1], [1, "a", 2], [], 5]),
        ({"items": PAIR, "additionalItems": False}, [[1, "a"], [1, "a", 2], [1]]),
        ({"items": PAIR, "additionalItems": {"type": "null"}}, [[1, "a", None], [1, "a", 2]]),
        ({"items": {"type": "integer"}, "additionalItems": False}, [[1, 2], ["a"]]),
        ({"dependencies": {"a": ["b"], "b": {"required": ["c"]}}}, [{"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}, {"b": 1}, {}]),
        (NUMBER, [3, 6, "a"]),
        ({"const": 5}, [5, 6]),
        ({"propertyNames": {"maxLength": 1}}, [{"a": 1}, {"ab": 1}]),
        ({"contains": {"type": "integer"}}, [[1], ["a"]]),
        ({"if": {"minimum": 5}, "then": {"maximum": 6}}, [3, 6, 9]),
        ({"dependentRequired": {"a": ["b"]}, "minContains": 0, "contains": {"const": 1}}, [{"a": 1}, [2], [1]]),
        ({"prefixItems": [{"type": "string"}]}, [["a"], [1]]),
        ({"unevaluatedProperties": False, "properties": {"a": {}}}, [{"a": 1}, {"b": 1}]),
        ({"properties": {"if": {"type": "integer"}, "$ref": {"type": "string"}}}, [{"if": 1}, {"if": "a"}, {"$ref": 5}]),
        ({"enum": [{"items": [1]}, {"const": 1}]}, [{"items": [1]}, {"prefixItems": [1]}, {"const": 1}, {}]),
        ({"type": "object", "properties": {"a": {"items": PAIR}}, "allOf": [{"items": PAIR}]}, [{"a": [1, "a"]}, {"a": ["a"]}]),
    ],
)
def test_a_schema_in_newer_words_means_the_same(draft: str, schema: Schema, values: list[Any]) -> None:
    stated = {"$schema": draft, **schema}
    made = modern(stated)
    assert "$schema" not in made
    for value in values:
        assert validator(json.dumps(made)).is_valid(value) is validator(json.dumps(stated)).is_valid(value), (value, made)


@pytest.mark.parametrize(("exclusive", "least"), [(True, 6), (False, 5)])
def test_a_bound_of_draft_4_is_told_whether_it_is_exclusive(exclusive: bool, least: int) -> None:
    stated = {"$schema": FOUR, "properties": {"a": {"minimum": 5, "exclusiveMinimum": exclusive, "maximum": 9}}}
    made = modern(stated)
    assert [number for number in range(12) if validator(json.dumps(made)).is_valid({"a": number})] == list(range(least, 10))


def test_a_place_that_is_named_keeps_its_name() -> None:
    for draft, key in ((FOUR, "id"), (SEVEN, "$id")):
        stated = {"$schema": draft, "properties": {"a": {"$ref": "#n"}}, "definitions": {"n": {key: "#n", "type": "integer"}}}
        made = validator(json.dumps(modern(stated)))
        assert (made.is_valid({"a": 1}), made.is_valid({"a": "b"})) == (True, False)


@pytest.mark.parametrize(
    "schema",
    [
        {"items": PAIR},
        {"$schema": TWENTY, "prefixItems": PAIR},
        {"$schema": SEVEN, "items": PAIR, "properties": {"a": {"$ref": "#/items/0"}}},
        {"$schema": SEVEN, "properties": {"a": {"$schema": FOUR, "minimum": 1}}},
    ],
    ids=["no draft", "the newest", "a reference to what moves", "a draft within"],
)
def test_what_is_new_or_cannot_be_said_stays_as_it_is(schema: Schema) -> None:
    assert modern(schema) is schema


def parameters(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


MIXED = [
    Tool("four", {"$schema": FOUR, **parameters(a={"type": "integer", "minimum": 5, "exclusiveMinimum": True}, b={"const": 1})}),
    Tool("seven", {"$schema": SEVEN, **parameters(a={"type": "array", "items": PAIR, "additionalItems": False})}),
    Tool("self", {"$schema": SEVEN, "properties": {"n": {"$ref": "#", "required": ["x"]}}, "additionalProperties": False}),
    Tool("new", {"$schema": TWENTY, **parameters(a={"type": "array", "prefixItems": PAIR, "items": False})}),
    Tool("plain", parameters(a={"const": 1})),
]


@pytest.mark.parametrize("tools", [MIXED, MIXED[:1], MIXED[1:3], MIXED[3:]])
def test_tools_of_several_drafts_are_one_schema_of_the_newest(tools: list[Tool]) -> None:
    contract = contracts.tools(tools)
    held = constrain(contract)
    below = [part for _, part in every(held)]
    assert not any(isinstance(part.get("items"), list) or isinstance(part.get("exclusiveMinimum"), bool) for part in below)
    arguments: list[Any] = [{"a": value, "b": b} for value in (5, 6) for b in (1, 2)]
    arguments += [{"a": value} for value in ([1, "a"], ["a", 1], [1, "a", 2], 1, 2)] + [{"n": {}}, {"n": {"n": {}}}, {"n": {"m": 1}}, {}]
    for name in [tool.name for tool in MIXED]:
        for given in arguments:
            text = json.dumps({"tool_calls": [{"name": name, "arguments": given}]})
            decoded = validator(json.dumps(held)).is_valid(json.loads(text))
            assert decoded is (not check(contract, Choice(text, "stop"))), text
    assert validator(json.dumps(held)).is_valid({"message": "no"})


def test_a_form_of_an_older_draft_beside_tools_is_one_too() -> None:
    form = contracts.json_schema({"$schema": SEVEN, **parameters(a={"type": "array", "items": PAIR})})
    contract = contracts.tools([MIXED[3]], form=form)
    for value, fits in (([1, "a"], True), (["a", 1], False)):
        text = json.dumps({"message": {"a": value}})
        assert (not check(contract, Choice(text, "stop"))) is fits
        assert validator(json.dumps(constrain(contract))).is_valid(json.loads(text)) is fits


def test_without_a_draft_it_is_the_contracts_own_schema() -> None:
    for contract in (contracts.tools([MIXED[4]]), contracts.json_schema(parameters(a={})), contracts.json_object()):
        assert constrain(contract) is contract.schema
