"""The likely tools for a small tier."""

import pytest

from router import contract as contracts
from router.contract import check
from router.retrieval import asked_text, narrow, none_fits, spared
from router.types import Choice, Contract, GenerationRequest, Tool, ToolChoice
from tests.router.verifiers.world import say


def tool(name: str, description: str, *arguments: str) -> Tool:
    return Tool(name, {"type": "object", "properties": {argument: {"type": "string"} for argument in arguments}}, description)


OFFERED = (
    tool("get_weather", "Current weather and forecast for a city.", "city"),
    tool("send_email", "Send an email message to somebody.", "recipient", "subject", "body"),
    tool("setTimer", "Start a countdown.", "minutes"),
    tool("convert_currency", "Convert an amount of money between currencies.", "amount", "from", "to"),
    tool("play_music", "Play a song or an album.", "song", "artist"),
)
FULL = contracts.tools(OFFERED)
CALL = '{"tool_calls":[{"name":"%s","arguments":{}}]}'


def names(contract: Contract) -> list[str]:
    return [tool.name for tool in contract.tools]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Will it rain in Paris? Show the forecast.", "get_weather"),
        ("Please write an e-mail: email Ann that I am late", "send_email"),
        ("set a timer for five minutes", "setTimer"),
        ("what are 5 dollars in euros, convert the amount", "convert_currency"),
        ("some songs by Nina Simone", "play_music"),
    ],
)
def test_the_tool_that_the_words_point_at_is_kept(text: str, wanted: str) -> None:
    assert names(narrow(FULL, text, 1)) == [wanted]
    assert wanted in names(narrow(FULL, text, 2))


def test_kept_tools_stay_in_their_own_order_and_a_request_without_a_hint_keeps_the_first() -> None:
    assert names(narrow(FULL, "play a song and send an email", 2)) == ["send_email", "play_music"]
    assert names(narrow(FULL, "zzz", 2)) == ["get_weather", "send_email"]


def test_a_call_outside_the_kept_set_breaks_the_narrowed_contract() -> None:
    narrowed = narrow(FULL, "set a timer", 1)
    assert not check(FULL, Choice(CALL % "send_email", "stop"))
    assert check(narrowed, Choice(CALL % "send_email", "stop"))
    assert not check(narrowed, Choice(CALL % "setTimer", "stop"))


@pytest.mark.parametrize(
    "contract",
    [
        Contract(),
        contracts.json_object(),
        contracts.tools(OFFERED[:2]),
        contracts.tools(OFFERED, ToolChoice("named", ("setTimer", "send_email", "play_music"))),
    ],
)
def test_what_is_small_named_or_no_tools_at_all_stays(contract: Contract) -> None:
    assert narrow(contract, "set a timer", 2) is contract


def test_none_fits_is_sayable_even_where_a_call_is_required() -> None:
    required = contracts.tools(OFFERED, ToolChoice("required"))
    narrowed = narrow(required, "set a timer", 1)
    message = Choice('{"message":"none of these fits"}', "stop")
    assert check(required, message)
    assert not check(narrowed, message)
    assert none_fits(required, narrowed, message)
    assert not none_fits(required, narrowed, Choice(CALL % "setTimer", "stop"))
    assert not none_fits(FULL, FULL, message)


def test_a_narrowed_contract_is_shorter() -> None:
    assert spared(FULL, narrow(FULL, "set a timer", 1)) > 0


def test_the_users_words_rank_the_tools() -> None:
    request = GenerationRequest("r1", "auto", (say("be nice", "system"), say("hello"), say("yes?", "assistant"), say("a timer")))
    assert asked_text(request) == "hello\na timer"


def test_a_form_beside_the_tools_stays_when_they_are_narrowed() -> None:
    full = contracts.tools(OFFERED, form=contracts.json_object())
    narrowed = narrow(full, "set a timer", 2)
    assert names(narrowed) != names(full)
    assert narrowed.form == full.form
    assert none_fits(full, narrowed, Choice('{"message":{"a":1}}', "stop"))
