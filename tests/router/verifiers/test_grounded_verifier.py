"""Values that must come from the request do."""

import json
from typing import Any

import pytest

from router import contract as contracts
from router.errors import ConfigError
from router.types import Contract, Message, Ruling, Tool
from tests.router.verifiers.world import TOOLS, World, calls, draft, say

ASKED = "Book a table for Ann O’Neil, four guests, on 5 May at 7pm; budget 2.5k, tip 10%."  # noqa: RUF001  # a typographic apostrophe


def grounded(**options: Any) -> Any:
    return World().verifier("grounded", **options)


async def ruled(answer: str, *messages: Message | str, contract: Contract = TOOLS, **options: Any) -> Ruling:
    found: Ruling = (await grounded(**options).judge(draft(answer, *messages or (ASKED,), contract=contract))).ruling
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": "Ann O'Neil"}, Ruling.ACCEPT),
        ({"name": "  ann   o'neil "}, Ruling.ACCEPT),
        ({"name": "Bob"}, Ruling.DEFER),
        ({"name": "Ann Smith"}, Ruling.DEFER),
        ({"guests": 4}, Ruling.ACCEPT),
        ({"guests": 5000}, Ruling.DEFER),
        ({"guests": 2500}, Ruling.ACCEPT),
        ({"guests": 0.1}, Ruling.ACCEPT),
        ({"guests": 19}, Ruling.ACCEPT),
        ({"guests": 13}, Ruling.DEFER),
        ({"day": "2026-05-05"}, Ruling.ACCEPT),
        ({"day": "2026-06-11"}, Ruling.DEFER),
        ({"day": "2026-13-45"}, Ruling.DEFER),
        ({"day": "May 5"}, Ruling.ACCEPT),
        ({"area": "terrace", "note": "none"}, Ruling.NOT_APPLICABLE),
        ({"note": "window seat"}, Ruling.DEFER),
        ({"name": ""}, Ruling.NOT_APPLICABLE),
    ],
)
async def test_arguments_that_the_schema_leaves_free_come_from_the_request(arguments: dict[str, Any], expected: Ruling) -> None:
    assert await ruled(calls(**arguments)) is expected


@pytest.mark.parametrize(
    ("said", "guests", "expected"),
    [
        ("twenty five", 25, Ruling.ACCEPT),
        ("three hundred", 300, Ruling.ACCEPT),
        ("1,200", 1200, Ruling.ACCEPT),
        ("nobody", 3, Ruling.DEFER),
    ],
)
async def test_numbers_are_compared_by_value(said: str, guests: int, expected: Ruling) -> None:
    assert await ruled(calls(guests=guests), f"a table for {said} please") is expected


async def test_a_date_that_relative_words_can_mean_is_not_held_against_the_answer() -> None:
    assert await ruled(calls(day="2026-11-22"), "a table tomorrow") is Ruling.ACCEPT


async def test_a_number_that_the_tools_description_states_needs_no_other_source() -> None:
    tools = contracts.tools(
        [Tool("book_table", {"type": "object", "properties": {"minutes": {"type": "integer"}}}, "60 minutes by default.")]
    )
    assert await ruled(calls(minutes=60), contract=tools) is Ruling.NOT_APPLICABLE
    assert await ruled(calls(minutes=65), contract=tools) is Ruling.DEFER


async def test_the_reason_names_paths_and_never_values() -> None:
    verdict = await grounded().judge(draft(calls(name="Zebulon", guests=4), ASKED))
    assert verdict.reason == "/tool_calls/0/arguments/name"
    assert [violation.path for violation in verdict.violations] == ["/tool_calls/0/arguments/name"]
    assert "Zebulon" not in str(verdict)


async def test_only_the_chosen_arguments_are_checked() -> None:
    wrong = calls(name="Bob", guests=77)
    assert await ruled(wrong, arguments=["book_table.day"]) is Ruling.NOT_APPLICABLE
    assert await ruled(wrong, arguments=["*.name"]) is Ruling.DEFER
    assert await ruled(wrong, exempt=["*.name", "*.guests"]) is Ruling.NOT_APPLICABLE
    assert await ruled(wrong, exempt=["*.name"], numbers=False) is Ruling.NOT_APPLICABLE


async def test_a_chosen_argument_is_checked_whatever_its_schema_says() -> None:
    assert await ruled(calls(area="terrace"), arguments=["*.area"]) is Ruling.DEFER


async def test_a_share_of_the_words_may_be_enough() -> None:
    assert await ruled(calls(name="Ann Smith"), words=0.5) is Ruling.ACCEPT


async def test_references_and_alternatives_of_the_schema_are_followed() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/unit"},
            "b": {"anyOf": [{"enum": ["x"]}, {"type": "null"}]},
            "c": {"items": {"type": "string"}},
        },
        "$defs": {"unit": {"enum": ["metric"]}},
    }
    tools = contracts.tools([Tool("convert", schema)])
    answer = '{"tool_calls":[{"name":"convert","arguments":{"a":"metric","b":"x"%s}}]}'
    assert await ruled(answer % "", contract=tools) is Ruling.NOT_APPLICABLE
    assert await ruled(answer % ',"c":["Ann","Bob"]', contract=tools) is Ruling.DEFER


async def test_a_json_answer_is_checked_like_arguments() -> None:
    schema = contracts.json_schema({"type": "object", "properties": {"name": {"type": "string"}}})
    verdict = await grounded().judge(draft('{"name":"Bob"}', ASKED, contract=schema))
    assert (verdict.ruling, verdict.reason) == (Ruling.DEFER, "/name")


CONTEXT = say("Our terrace opens at 9:30. “Dogs are welcome  on the terrace”, says the manual.", "system")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('The manual says "dogs are welcome on the terrace".', Ruling.ACCEPT),
        ('The manual says "cats are welcome".', Ruling.DEFER),
        ("It opens at 9:30.", Ruling.ACCEPT),
        ("It opens at 11.", Ruling.DEFER),
        ("1. It opens early.\n2. It has a terrace.", Ruling.NOT_APPLICABLE),
        ("It is open.", Ruling.NOT_APPLICABLE),
    ],
)
async def test_quotations_and_numbers_of_prose_stand_in_the_context(answer: str, expected: Ruling) -> None:
    assert await ruled(answer, CONTEXT, "is it open at 11 for cats?", contract=Contract(), context="system") is expected


async def test_what_the_user_claims_is_no_source_when_only_the_context_counts() -> None:
    answer, asked = "It opens at 11.", "does it open at 11?"
    assert await ruled(answer, CONTEXT, asked, contract=Contract()) is Ruling.ACCEPT
    assert await ruled(answer, CONTEXT, asked, contract=Contract(), context="system", numbers=False) is Ruling.NOT_APPLICABLE


@pytest.mark.parametrize(("answer", "options"), [("no json", {}), (calls(name="Ann"), {"context": "system"})])
async def test_without_a_readable_answer_or_a_context_it_is_unable(answer: str, options: dict[str, Any]) -> None:
    assert await ruled(answer, **options) is Ruling.UNABLE


@pytest.mark.parametrize(("options", "key"), [({"argument": []}, "argument"), ({"context": "all"}, "context"), ({"words": 0}, "words")])
def test_a_mistake_in_the_options_is_named(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        grounded(**options)
    assert caught.value.param == f"routes.auto.verifiers.0.{key}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"name": "Ann O'Neil", "area": "hall"}, Ruling.ACCEPT),
        ({"name": "Bob"}, Ruling.DEFER),
        ({"area": "hall"}, Ruling.NOT_APPLICABLE),
    ],
)
async def test_json_in_place_of_a_call_is_no_prose_full_of_quotations(said: dict[str, Any], expected: Ruling) -> None:
    contract = contracts.tools(TOOLS.tools, form=contracts.json_schema(TOOLS.tools[0].parameters))
    assert await ruled(json.dumps({"message": said}), contract=contract) is expected
