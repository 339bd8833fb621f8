"""The operator's own rule in CEL."""

import json
from typing import Any

import pytest

from router import contract as contracts
from router.errors import ConfigError
from router.types import Contract, Ruling
from tests.router.verifiers.world import World, calls, draft

ROWS = f"[{'1,' * 99}1]"
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
        ({"expression": f"{ROWS}.all(a, {ROWS}.all(b, {ROWS}.all(c, true)))"}, "expression"),
        ({"expression": f"[answer.text]{'.map(x, x + x)' * 30}.size() > 0"}, "expression"),
        ({"expresion": "true"}, "expression"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_at_start_up(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        World().verifier("rule", **options)
    assert caught.value.param == f"routes.auto.verifiers.0.{key}"


def test_words_in_literals_and_comments_bind_nothing() -> None:
    rule("answer.text != '.map(request, (((' // .all(x, (\n && answer.tool_calls.all(x, x.name != \"a.filter(\")")


@pytest.mark.parametrize("body", ["x + x", "[x, x]", "x+' '+x", "{'a': x, 'b': x}"])
async def test_what_a_chain_of_maps_would_make_of_the_answer_is_bounded(body: str) -> None:
    """A few of them are no matter for a short answer and are not tried on a long one; unbounded they end the process."""
    grown = rule(f"[answer.text]{f'.map(x, {body})' * 5}.size() == 1")
    assert (await grown.judge(draft("short", contract=Contract()))).ruling is Ruling.ACCEPT
    verdict = await grown.judge(draft("long " * 100_000, contract=Contract()))
    assert (verdict.ruling, verdict.reason) == (Ruling.UNABLE, "too_large")


async def test_a_rule_on_long_texts_and_lists_is_no_matter_while_nothing_grows() -> None:
    asked = draft(
        json.dumps({"rows": [{"price": 2, "count": 3}] * 90, "text": "long " * 50_000}), contract=contracts.json_schema({"type": "object"})
    )
    for expression in ("answer.json.rows.map(r, r.price * r.count).all(n, n in [6, 7, 8])", "!answer.json.text.matches('(g+g+)+y')"):
        assert (await rule(expression).judge(asked)).ruling is Ruling.ACCEPT


@pytest.mark.parametrize(
    "expression",
    [
        "answer.json.least / answer.json.minus > 0",
        "answer.json.least % answer.json.minus == 0",
        "1 % answer.json.zero == 0",
        "int(answer.json.wide) > 0",
    ],
)
async def test_arithmetic_that_has_no_result_is_unable(expression: str) -> None:
    numbers = draft('{"least":-9223372036854775808,"minus":-1,"zero":0,"wide":1e300}', contract=contracts.json_schema({"type": "object"}))
    assert (await rule(expression).judge(numbers)).ruling is Ruling.UNABLE


@pytest.mark.parametrize("answer", ['{"a":' + "[" * 5000 + "]" * 5000 + "}", '{"a":"\\ud800"}', '{"b":1}', "[]", "null"])
async def test_answers_in_which_the_field_is_missing_or_unreadable_are_unable(answer: str) -> None:
    assert (await rule("answer.json.a == 1").judge(draft(answer, contract=contracts.json_schema({})))).ruling is Ruling.UNABLE
