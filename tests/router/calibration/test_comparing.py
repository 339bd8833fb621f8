import pytest

from router import contract
from router.calibration.comparing import same
from router.types import Choice, Contract, Tool

SCHEMA = {
    "type": "object",
    "properties": {"minutes": {"type": "integer"}, "label": {"type": "string", "default": "timer"}},
    "required": ["minutes"],
}
TOOLS = contract.tools([Tool("set_timer", SCHEMA), Tool("stop", {"type": "object", "properties": {}})])
FORMED = contract.tools(TOOLS.tools, form=contract.json_object())
FIVE = '{"tool_calls":[{"name":"set_timer","arguments":{"minutes":5}}]}'


@pytest.mark.parametrize(
    ("form", "one", "reference", "expected"),
    [
        (TOOLS, FIVE, FIVE, True),
        (TOOLS, FIVE.replace("5", "6"), FIVE, False),
        (TOOLS, '{"tool_calls":[{"name":"set_timer","arguments":{"minutes":5,"label":"timer"}}]}', FIVE, True),
        (TOOLS, '{"tool_calls":[{"name":"stop","arguments":{}}]}', FIVE, False),
        (TOOLS, '{"message":"I cannot"}', FIVE, False),
        (TOOLS, "no JSON", FIVE, False),
        (TOOLS, FIVE, '{"tool_calls":[{"name":"launch","arguments":{}}]}', None),
        (FORMED, '{"message":{"a": 5, "b": "X "}}', '{"message":{"b":"x","a":5.0}}', True),
        (FORMED, '{"message":{"a":"a long text that says one thing of many, and more"}}', '{"message":{"a":"and another"}}', False),
        (FORMED, FIVE, '{"message":{}}', False),
        (contract.json_object(), '{"a": 5, "b": "X "}', '{"b":"x","a":5.0}', True),
        (contract.json_object(), '{"a": true}', '{"a": 1}', False),
        (contract.choice(["yes", "no"]), "yes", "yes", True),
        (contract.choice(["yes", "no"]), "yes", "no", False),
        (contract.regex("[a-z ]{50,}"), "a" * 60, "b" * 60, False),
        (contract.text(), "prose", "prose", None),
    ],
)  # fmt: skip
def test_answers_are_compared_by_structure(form: Contract, one: str, reference: str, expected: bool | None) -> None:
    assert same(form, Choice(one, "stop"), Choice(reference, "stop")) is expected


def test_an_answer_that_was_cut_off_is_no_reference() -> None:
    assert same(TOOLS, Choice(FIVE, "stop"), Choice(FIVE, "length")) is None
