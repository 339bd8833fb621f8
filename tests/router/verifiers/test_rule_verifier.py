"""The operator's own rule in CEL."""

import json
from typing import Any

import pytest

from router import contract as contracts
from router.errors import ConfigError
from router.types import Contract, Ruling
from tests.router.verifiers.world import World, calls, draft

GUESTS = "answer.tool_calls.all(c, c.arguments.guests < 10)"


def rule(expression: str, **options: Any) -> Any:
    return World().verifier("rule", expression=expression, **options)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (GUESTS, Ruling.ACCEPT),
        (GUESTS.replace("10", "4"), Ruling.DEFER),
        (GUESTS.replace("10", "4.5"), Ruling.ACCEPT),
        ("answer.tool_calls[0].name in request.tools", Ruling.ACCEPT),
        ("request.text.matches('(?i)TABLE') && tier == 'small' && !last", Ruling.ACCEPT),
        ("request.metadata.plan == 'pro'", Ruling.ACCEPT),
        ("has(answer.message)", Ruling.DEFER),
        ("answer.tool_calls.filter(c, c.name == 'x').size() == 0", Ruling.ACCEPT),
        ("answer.tool_calls[0].arguments.nobody > 1", Ruling.UNABLE),
        ("answer.tool_calls[7].name == ''", Ruling.UNABLE),
        ("answer.tool_calls.size()", Ruling.UNABLE),
        ("1 / answer.message.size() > 0", Ruling.UNABLE),
        ("answer.text > 5", Ruling.UNABLE),
        ("answer.text.matches('(')", Ruling.UNABLE),
    ],
)
async def test_the_rule_rules_and_its_failure_is_unable(expression: str, expected: Ruling) -> None:
    asked = draft(calls(guests=4), "a table please", metadata=(("plan", "pro"),))
    assert (await rule(expression).judge(asked)).ruling is expected


async def test_a_rule_applies_only_where_it_says_so() -> None:
    verifier = rule(GUESTS, when="size(answer.tool_calls) > 0", name="too many guests")
    assert (await verifier.judge(draft('{"message":"no"}'))).ruling is Ruling.NOT_APPLICABLE
    assert (await verifier.judge(draft(calls(guests=40)))).reason == "too many guests"


async def test_json_and_prose_have_their_own_names() -> None:
    schema = contracts.json_schema({"type": "object"})
    assert (await rule("answer.json.total == 3").judge(draft('{"total":3}', contract=schema))).ruling is Ruling.ACCEPT
    assert (await rule("answer.message.contains('Paris')").judge(draft("In Paris.", contract=Contract()))).ruling is Ruling.ACCEPT
    assert (await rule("answer.json.total == 3").judge(draft("not json", contract=schema))).ruling is Ruling.UNABLE


@pytest.mark.parametrize("answer", [json.dumps({"l": list(range(3000))}), json.dumps({"l": [[1]] * 4999}), '{"l": 1180591620717411303424}'])
async def test_an_answer_on_which_the_rule_would_take_too_long_or_break_is_unable(answer: str) -> None:
    asked = draft(answer, contract=contracts.json_schema({"type": "object"}))
    assert (await rule("answer.json.l.filter(x, x > 5).size() < 9").judge(asked)).ruling is Ruling.UNABLE


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"expression": "1 +"}, "expression"),
        ({"expression": "answr.text == ''"}, "expression"),
        ({"expression": "os(answer)"}, "expression"),
        ({"expression": "answer.text.lowerAscii() == ''"}, "expression"),
        ({"expression": "true", "when": "nobody"}, "when"),
        ({"expression": "true || " * 400 + "true"}, "expression"),
        ({"expresion": "true"}, "expression"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_at_start_up(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        World().verifier("rule", **options)
    assert caught.value.param == f"routes.auto.verifiers.0.{key}"


def test_words_in_literals_and_comments_bind_nothing() -> None:
    rule("answer.text != '.map(request, (((' // .all(x, (\n && answer.tool_calls.all(x, x.name != \"a.filter(\")")
