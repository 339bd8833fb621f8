"""What the request demands is compiled once, refused clearly where it makes no sense, and checked exactly."""

import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import contract as contracts
from router.contract import Limits, Prefix, answer, check
from router.contract.schema import validator
from router.errors import InvalidRequest
from router.types import Choice, Contract, FinishReason, Schema, Tool, ToolChoice

CLOSED: Schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
TIMER = Tool("set_timer", CLOSED)
PLACE = Tool(
    "go", {"type": "object", "properties": {"to": {"$ref": "#/$defs/place"}}, "required": ["to"], "$defs": {"place": {"enum": ["x", "y"]}}}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)

steady = settings(deadline=None)


def said(contract: Contract, text: str, finish: FinishReason = "stop") -> list[tuple[str, str]]:
    return [(violation.path, violation.message) for violation in check(contract, Choice(text, finish))]


def calls(*pairs: tuple[str, Any]) -> str:
    return json.dumps({"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in pairs]})


def nested(levels: int) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def refused(make: Any, *args: Any, **kwargs: Any) -> tuple[str | None, str]:
    with pytest.raises(InvalidRequest) as caught:
        make(*args, **kwargs)
    return caught.value.param, caught.value.message


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"type": "strin"}, "/type"),
        ({"properties": {"a": {"pattern": "("}}}, "/properties/a/pattern"),
        ({"$ref": "http://example.com/x"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/passwd"}, "Retrieval is disabled"),
        ({"$ref": "#/$defs/none"}, "does not exist"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "Unknown meta-schema"),
        ({"const": float("nan")}, "not plain JSON"),
        ({"const": "\ud800"}, "not plain JSON"),
        ([], "must be an object"),
        (nested(200), "more than 64 levels"),
        (nested(100_000), "more than 64 levels"),
        ({"enum": ["x" * 300_000]}, "bytes"),
        ({"properties": {str(index): {} for index in range(10_001)}}, "properties"),
    ],
)
def test_a_schema_that_cannot_serve_is_refused_by_name(schema: Any, complaint: str) -> None:
    param, message = refused(contracts.json_schema, schema)
    assert param == "response_format.json_schema.schema"
    assert complaint in message
    assert len(message) < 600


def test_references_that_multiply_are_refused_and_loops_are_not() -> None:
    doubling = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)}
    assert "multiply" in refused(contracts.json_schema, {"$defs": {**doubling, "a40": {}}, "$ref": "#/$defs/a0"})[1]
    chain = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(5_000)}
    assert "chain" in refused(contracts.json_schema, {"$defs": {**chain, "a5000": {}}, "$ref": "#/$defs/a0"})[1]
    assert said(contracts.json_schema({"$ref": "#"}), "1") == []


def test_limits_are_the_operators() -> None:
    assert "3 levels" in refused(contracts.json_schema, nested(4), limits=Limits(depth=3))[1]
    assert refused(contracts.tools, [TIMER, PLACE], limits=Limits(tools=1))[0] == "tools"


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"type": "array"}, "must be of type 'object'"),
        ({"type": "object", "properties": {}}, "In context=(), 'additionalProperties' is required to be supplied and to be false."),
        ({**CLOSED, "required": []}, "Missing 'a'."),
        ({**CLOSED, "properties": {"a": {"type": "object", "properties": {}}}}, "In context=('properties', 'a'), 'additionalProperties'"),
    ],
)
def test_a_strict_schema_must_keep_the_rules_of_strictness(schema: Schema, complaint: str) -> None:
    assert complaint in refused(contracts.json_schema, schema, "report", True)[1]


def test_a_strict_function_may_have_optional_arguments_but_no_unknown_ones() -> None:
    assert contracts.tools([Tool("f", {**CLOSED, "required": []}, strict=True)]).kind == "tools"
    open_ended = Tool("f", {"type": "object", "properties": {}}, strict=True)
    assert refused(contracts.tools, [TIMER, open_ended])[0] == "tools[1].function.parameters"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty answer"),
        ("  \n", "empty answer"),
        ("Sure: {}", "expecting value"),
        ("[1] ok", "extra data"),
        ("[1,]", "not valid JSON"),
        ('{"a":1,"a":1}', "duplicate key"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ("[1e999]", "out of range"),
        ("1" * 5_000, "out of range"),
        ('"\\ud800"', "lone surrogate"),
        ('"\ud800"', "lone surrogate"),
        ('"\t"', "control character"),
        ("[" * 100_000, "nested more than"),
        ("[" * 200 + '"[\\"["' + "]" * 200, "nested more than"),
        ("1" * 4_000_001, "longer than"),
    ],
)
def test_json_is_read_strictly(text: str, complaint: str) -> None:
    [(path, message)] = said(contracts.json_schema({}), text)
    assert path == ""
    assert complaint in message


def test_brackets_in_strings_are_no_nesting() -> None:
    assert said(contracts.json_schema({}), json.dumps("[{\\" * 500 + '"')) == []


@steady
@given(JSON)
def test_any_json_keeps_the_schema_that_allows_anything(value: object) -> None:
    text = json.dumps(value)
    contract = contracts.json_schema({})
    assert said(contract, text) == []
    assert Prefix(contract).feed(text)


def test_violations_point_at_the_place_and_show_little_of_the_value() -> None:
    contract = contracts.json_schema(
        {"properties": {"a/b": {"items": {"type": "integer"}}, "c": {"type": "null"}}, "additionalProperties": False}
    )
    found = said(contract, json.dumps({"a/b": [1, "x" * 500], "c": None, "k" * 500: 1}))
    assert [path for path, _ in found] == ["/a~1b/1", ""]
    assert all(len(message) < 200 for _, message in found)
    assert len(said(contract, json.dumps({"a/b": ["x"] * 100}))) == 16


def test_of_alternatives_the_closest_one_complains() -> None:
    contract = contracts.json_schema({"anyOf": [{"type": "string"}, CLOSED]})
    assert said(contract, '{"a":"1"}') == [("/a", '"1" is not of type "integer"')]


@pytest.mark.parametrize(
    ("name", "good", "bad"), [("date", "2024-02-29", "2023-02-29"), ("email", "a@b.org", "a"), ("ipv4", "1.1.1.1", "1.1.1")]
)
def test_formats_are_asserted(name: str, good: str, bad: str) -> None:
    contract = contracts.json_schema({"format": name})
    assert said(contract, json.dumps(good)) == []
    assert said(contract, json.dumps(bad)) != []


def test_patterns_without_linear_matching_are_bounded_and_fail_closed() -> None:
    assert said(contracts.json_schema({"pattern": "^(?!ab)a"}), '"ac"') == []
    assert said(contracts.json_schema({"pattern": r"^(?=(a+)+$)(a|aa)+\1$"}), json.dumps("a" * 60 + "b")) != []


def test_an_answer_cut_off_breaks_every_contract_but_prose() -> None:
    assert said(contracts.json_object(), "{}", "length") == [("", "cut off before the end")]
    assert said(contracts.text(), "Once upon", "length") == []
    assert said(contracts.text(), " ") == [("", "empty answer")]


def test_json_object_is_an_object() -> None:
    assert said(contracts.json_object(), '{"a":[]}') == []
    assert said(contracts.json_object(), "[]") != []


def test_a_regex_matches_the_whole_text() -> None:
    contract = contracts.regex("a|ab")
    assert [not said(contract, text) for text in ("a", "ab", "abc", "xa", "ab\n", "")] == [True, True, False, False, False, False]
    assert said(contracts.regex("(a+)+"), "a" * 50_000 + "b") != []


@pytest.mark.parametrize("pattern", ["(a", "a)|(b", "(?=a)", r"(a)\1", "((a{500}){500}){500}", "", "a" * 20_000, 5])
def test_a_regex_that_is_broken_or_needs_backtracking_is_refused(pattern: Any) -> None:
    assert refused(contracts.regex, pattern, param="structured_outputs.regex")[0] == "structured_outputs.regex"


def test_a_choice_is_exact() -> None:
    contract = contracts.choice(["yes", "no"])
    assert [not said(contract, text) for text in ("yes", "no", "Yes", "yes ", "")] == [True, True, False, False, False]
    for bad in ([], ["a", "a"], ["a", 1], [""], "abc"):
        assert refused(contracts.choice, bad)[0] == "structured_outputs.choice"


@pytest.mark.parametrize("grammar", ['start: "a" "b"+', 'root ::= "a" b\nb ::= "b" | "b" b'])
def test_a_grammar_in_either_notation_is_checked(grammar: str) -> None:
    contract = contracts.grammar(grammar)
    assert [not said(contract, text) for text in ("ab", "abb", "a", "abc", "")] == [True, True, False, False, False]


@pytest.mark.parametrize("grammar", ["start: nothing", "root ::= (", "", 7])
def test_a_grammar_that_cannot_be_read_is_refused(grammar: Any) -> None:
    assert refused(contracts.grammar, grammar)[0] == "structured_outputs.grammar"


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        ([TIMER, TIMER], ToolChoice(), "tools[1].function.name"),
        ([Tool("set timer", {})], ToolChoice(), "tools[0].function.name"),
        ([Tool("x" * 65, {})], ToolChoice(), "tools[0].function.name"),
        ([Tool("x\n", {})], ToolChoice(), "tools[0].function.name"),
        ([TIMER, Tool("x", {"type": "string"})], ToolChoice(), "tools[1].function.parameters"),
        ([TIMER, Tool("x", {"type": "object", "properties": {"a": {"type": "x"}}})], ToolChoice("none"), "tools[1].function.parameters"),
        ([Tool("x", nested(200))], ToolChoice(), "tools[0].function.parameters"),
        ([Tool("x", [1])], ToolChoice(), "tools[0].function.parameters"),  # type: ignore[arg-type]
        ([Tool("x", {"const": float("nan")})], ToolChoice(), "tools[0].function.parameters"),
        ([TIMER], ToolChoice("named", ("go",)), "tool_choice"),
        ([TIMER], ToolChoice("named"), "tool_choice"),
        ([], ToolChoice("required"), "tool_choice"),
        ([], ToolChoice("named", ("go",)), "tool_choice"),
    ],
)
def test_tools_that_make_no_sense_are_refused_by_name(tools: list[Tool], choice: ToolChoice, param: str) -> None:
    assert refused(contracts.tools, tools, choice)[0] == param


def test_tools_that_may_not_be_called_are_prose() -> None:
    assert contracts.tools([TIMER], ToolChoice("none")).kind == "none"
    assert contracts.tools([]).kind == "none"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (calls(("unknown", {})), "/tool_calls/0/name", 'no such function: "unknown"'),
        (calls(("set_timer", {"a": 1}), ("unknown", {})), "/tool_calls/1/name", 'no such function: "unknown"'),
        (calls(("set_timer", {"a": "1"})), "/tool_calls/0/arguments/a", '"1" is not of type "integer"'),
        (calls(("set_timer", {})), "/tool_calls/0/arguments", '"a" is a required property'),
        (calls(("set_timer", {"a": 1, "b": 2})), "/tool_calls/0/arguments", "unknown properties: b"),
        (calls(("set_timer", '{"a":1}')), "/tool_calls/0/arguments", '"{\\"a\\":1}" is not of type "object"'),
        (calls(("go", {"to": "z"})), "/tool_calls/0/arguments/to", '"z" is not one of "x" or "y"'),
        (calls(), "/tool_calls", "must be an array of at least one call"),
        ('{"tool_calls":[{"name":"set_timer"}]}', "/tool_calls/0", "must be an object with name and arguments only"),
        ('{"tool_calls":[3]}', "/tool_calls/0", "must be an object with name and arguments only"),
        ('{"tool_calls":[{"name":["set_timer"],"arguments":{}}]}', "/tool_calls/0/name", 'no such function: ["set_timer"]'),
        ('{"message":""}', "/message", '"" is shorter than 1 character'),
        ('{"message":"a","tool_calls":[]}', "", "unknown properties: tool_calls"),
        ('{"calls":[]}', "", "unknown properties: calls"),
        ("{}", "", "tool_calls is missing"),
        ("[]", "", "must be an object with tool_calls or message"),
    ],
)
def test_every_wrong_call_is_found(text: str, path: str, message: str) -> None:
    contract = contracts.tools([TIMER, PLACE])
    assert said(contract, text) == [(path, message)]
    assert not validator(contract.text).is_valid(json.loads(text))


def test_words_may_stand_beside_calls_but_for_a_form() -> None:
    """Nobody is asked for them, but servers that parse calls by themselves give them."""
    contract = contracts.tools([TIMER])
    beside = json.dumps({**json.loads(calls(("set_timer", {"a": 1}))), "content": "One moment."})
    assert said(contract, beside) == []
    assert Prefix(contract).feed(beside)
    found = answer(contract, Choice(beside, "stop"))
    assert (found.content, [call.name for call in found.tool_calls]) == ("One moment.", ["set_timer"])
    for wrong in (beside.replace('"One moment."', "5"), json.dumps({"content": "One moment."})):
        assert said(contract, wrong)
        assert not Prefix(contract).feed(wrong)
    formed = contracts.tools([TIMER], form=contracts.json_schema(CLOSED))
    assert said(formed, beside) == [("", "unknown properties: content")]
    assert not Prefix(formed).feed(beside)
    assert "content" not in contract.text


def test_a_message_of_blanks_is_no_answer() -> None:
    assert said(contracts.tools([TIMER]), '{"message":" \\n"}') == [("/message", "is blank")]


def test_right_calls_and_messages_pass() -> None:
    contract = contracts.tools([TIMER, PLACE, Tool("stop", {})])
    for text in (calls(("set_timer", {"a": 1}), ("go", {"to": "x"}), ("stop", {})), '{"message":"no"}'):
        assert said(contract, text) == []
        assert validator(contract.text).is_valid(json.loads(text))


def test_the_choice_of_tool_and_parallelism_narrow_the_contract() -> None:
    two = calls(("set_timer", {"a": 1}), ("set_timer", {"a": 2}))
    assert said(contracts.tools([TIMER], parallel=False), two) == [("/tool_calls", "only one call is allowed")]
    assert said(contracts.tools([TIMER], ToolChoice("required")), '{"message":"no"}') == [("", "unknown properties: message")]
    named = contracts.tools([TIMER, PLACE], ToolChoice("named", ("go",)))
    assert said(named, calls(("set_timer", {"a": 1}))) == [("/tool_calls/0/name", 'no such function: "set_timer"')]


@pytest.mark.parametrize(
    "parameters",
    [
        {
            "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}, "additionalProperties": False}},
            "$ref": "#/$defs/n",
        },
        {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False},
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$id": "http://example.com/n",
            "type": "object",
            "properties": {"next": {"$ref": "http://example.com/n#/definitions/n"}},
            "definitions": {"n": {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}},
            "additionalProperties": False,
        },
    ],
)
def test_references_of_a_tool_still_resolve_in_the_whole(parameters: Schema) -> None:
    contract = contracts.tools([Tool("f", parameters), Tool("g", {**parameters, "description": "same names"})])
    for arguments, valid in (({}, True), ({"next": {"next": {}}}, True), ({"next": {"next": {"x": 1}}}, False)):
        text = calls(("g", arguments))
        assert (not said(contract, text)) is valid
        assert validator(contract.text).is_valid(json.loads(text)) is valid
        assert Prefix(contract).feed(text) or not valid


def test_a_property_named_like_a_keyword_is_a_property() -> None:
    odd = {
        "properties": {"default": {"$ref": "#/$defs/d"}, "$ref": {"type": "string"}, "const": {}},
        "$defs": {"d": {"const": {"$ref": "#/x"}}},
    }
    contract = contracts.tools([Tool("f", odd)])
    text = calls(("f", {"default": {"$ref": "#/x"}, "$ref": "a"}))
    assert said(contract, text) == []
    assert validator(contract.text).is_valid(json.loads(text))


def test_each_tool_keeps_its_own_draft() -> None:
    old = Tool("old", {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"maximum": 1, "exclusiveMaximum": True}}})
    contract = contracts.tools([old, TIMER])
    assert said(contract, calls(("old", {"a": 1}))) != []
    assert said(contract, calls(("old", {"a": 0}))) == []


OLDER = [f"http://json-schema.org/draft-0{number}/schema#" for number in (6, 7)] + ["https://json-schema.org/draft/2019-09/schema"]


@pytest.mark.parametrize("draft", OLDER)
@pytest.mark.parametrize("others", [[], [Tool("stop", {})], [TIMER]])
def test_what_a_tools_own_draft_does_not_know_gives_up_no_answer(draft: str, others: list[Tool]) -> None:
    pair = {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"type": "string"}]}}}
    contract = contracts.tools([Tool("old", {"$schema": draft, **pair}), *others])
    text = calls(("old", {"a": [1]}))
    assert said(contract, text) == []
    assert Prefix(contract).feed(text)
    newer = contracts.tools([Tool("old", pair), *others])
    assert said(newer, text)
    assert not Prefix(newer).feed(text)


def test_a_constant_that_a_tools_draft_does_not_know_gives_up_no_answer() -> None:
    four = Tool("old", {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"const": 1}}})
    for contract in (contracts.tools([four]), contracts.tools([four, TIMER])):
        text = calls(("old", {"a": 2}))
        assert said(contract, text) == []
        assert Prefix(contract).feed(text)


def test_a_name_is_held_to_in_every_draft() -> None:
    for draft in ("http://json-schema.org/draft-04/schema#", *OLDER):
        contract = contracts.tools([Tool("old", {"$schema": draft, "type": "object"}), Tool("stop", {})])
        assert contract.schema is not None
        assert contract.schema["$schema"] == draft
        assert validator(contract.text).is_valid(json.loads(calls(("old", {}), ("stop", {}))))
        assert not validator(contract.text).is_valid(json.loads(calls(("new", {}))))


def test_arguments_are_an_object_where_a_draft_reads_nothing_beside_a_reference() -> None:
    said_twice = {"$schema": OLDER[1], "type": "object", "$ref": "#/definitions/d", "definitions": {"d": {"minLength": 1}}}
    contract = contracts.tools([Tool("f", said_twice)])
    assert said(contract, calls(("f", "text"))) == [("/tool_calls/0/arguments", '"text" is not of type "object"')]
    assert said(contract, calls(("f", {}))) == []


def test_a_tool_that_states_no_type_refers_to_itself_as_it_stands() -> None:
    contract = contracts.tools([Tool("f", {"properties": {"a": {"not": {"$ref": "#"}}, "b": {"$ref": "#"}}})])
    text = calls(("f", {"b": "text"}))
    assert said(contract, text) == []
    assert validator(contract.text).is_valid(json.loads(text))
    assert Prefix(contract).feed(text)
    assert not validator(contract.text).is_valid(json.loads(calls(("f", "text"))))
    assert said(contract, calls(("f", {"a": "text"})))


def test_equal_requests_share_one_contract() -> None:
    assert contracts.tools([TIMER, PLACE]) is contracts.tools([TIMER, PLACE])
    assert contracts.json_schema(CLOSED) == contracts.json_schema(dict(CLOSED))
    assert contracts.tools([TIMER]) != contracts.tools([TIMER], ToolChoice("required"))


def test_an_answer_is_given_as_message_calls_or_text() -> None:
    contract = contracts.tools([TIMER])
    assert answer(contract, Choice('{"message":"no"}', "stop")).content == "no"
    got = answer(contract, Choice(calls(("set_timer", {"a": 1}), ("set_timer", {"a": "ü"})), "stop"), iter("xy").__next__)
    assert got.content is None
    assert [(call.id, call.name, call.arguments) for call in got.tool_calls] == [
        ("x", "set_timer", '{"a":1}'),
        ("y", "set_timer", '{"a":"ü"}'),
    ]
    assert len({call.id for _ in range(2) for call in answer(contract, Choice(calls(("set_timer", {"a": 1})), "stop")).tool_calls}) == 2
    for text in ("prose", "[1]", '{"tool_calls":[1]}'):
        assert answer(contract, Choice(text, "stop")).content == text
    assert answer(contracts.text(), Choice("hi", "stop")).content == "hi"


def dies_at(contract: Contract, text: str) -> int | None:
    """How many characters a watcher took before it gave up."""
    prefix = Prefix(contract)
    return next((index for index, character in enumerate(text) if not prefix.feed(character)), None)


@pytest.mark.parametrize(
    "text",
    [
        "S",
        '{"foo"',
        '{"tool_calls":[{"name":"set_alarm"',
        '{"tool_calls":[{"name":"set_timer","arguments":{"b"',
        '{"tool_calls":[{"name":"set_timer","arguments":{"a":"',
        '{"tool_calls":[{"name":"set_timer","arguments":{"a":1.5}',
        '{"tool_calls":[{"name":"set_timer","arguments":{}',
        '{"tool_calls":[{"name":"go","arguments":{"to":"z"',
        '{"tool_calls":[]',
        '{"tool_calls":[{"arguments":{"to":"x"},"name":"set_timer"',
        '{"message":"a","message"',
        '{"message":"a"} x',
        '{"message":"\\x',
        '{"message":"\\u00g',
        '{"message":"\n',
        '{"tool_calls":[{"name":"set_timer","arguments":{"a":01',
        '{"tool_calls":[{"name":"set_timer","arguments":{"a":t',
        '{"tool_calls":[{"name":"set_timer","arguments":{"a":-,',
        '{"tool_calls":[,',
        '{"tool_calls" [',
        '{"message":"a";',
        "{,",
    ],
)
def test_a_hopeless_answer_is_given_up_at_once(text: str) -> None:
    contract = contracts.tools([TIMER, PLACE])
    assert dies_at(contract, text) == len(text) - 1
    prefix = Prefix(contract)
    assert not prefix.feed(text)
    assert not prefix.feed(" ")


def test_a_second_call_where_one_is_allowed_is_given_up() -> None:
    text = calls(("set_timer", {"a": 1}), ("set_timer", {"a": 2}))
    assert dies_at(contracts.tools([TIMER]), text) is None
    assert dies_at(contracts.tools([TIMER], parallel=False), text) is not None


def test_choices_are_followed_letter_by_letter_and_patterns_not_at_all() -> None:
    assert dies_at(contracts.choice(["yes", "no"]), "yet") == 2
    assert dies_at(contracts.choice(["yes", "no"]), "no") is None
    assert dies_at(contracts.regex("a+"), "b") is None
    assert dies_at(contracts.text(), "anything") is None


def test_deep_nesting_is_given_up() -> None:
    assert dies_at(contracts.json_schema({}), "[" * 200) == 128


SCHEMAS = st.sampled_from(
    [
        CLOSED,
        {"type": ["integer", "null", "array"], "items": {"type": "string"}},
        {
            "anyOf": [
                {"type": "object", "properties": {"k": {"const": "a"}, "v": {"type": "integer"}}, "required": ["k"]},
                {"enum": [True, 1, "x"]},
            ]
        },
        {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "number"}, "minItems": 1, "maxItems": 2},
        {"type": "object", "patternProperties": {"^k": {"type": "string"}}, "additionalProperties": {"type": "boolean"}},
        {"oneOf": [{"type": "string", "minLength": 2}, {"type": "number", "minimum": 3}]},
        {
            "$ref": "#/$defs/t",
            "$defs": {"t": {"type": "object", "properties": {"k": {"$ref": "#/$defs/t"}}, "additionalProperties": False}},
        },
    ]
)
VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 5, 2.5, 3.0, "a", "x", "abc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "k", "v", "kk"]), inner, max_size=2),
    max_leaves=6,
)


@steady
@given(SCHEMAS, VALUES, st.integers(1, 7), st.sampled_from([None, 1]))
def test_a_valid_answer_is_never_given_up(schema: Schema, value: object, step: int, indent: int | None) -> None:
    contract = contracts.json_schema(schema)
    text = json.dumps(value, indent=indent)
    prefix = Prefix(contract)
    alive = all(prefix.feed(text[start : start + step]) for start in range(0, len(text), step))
    assert alive or said(contract, text)


@steady
@given(st.text(alphabet=string.printable, max_size=20))
def test_text_that_json_refuses_is_refused_by_the_check(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        assert said(contracts.json_schema({}), text)
