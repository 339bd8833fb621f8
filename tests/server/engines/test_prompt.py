"""How tools, calls and results are put to a model that reads plain chat."""

import json

import pytest

from router.types import Contract, EngineCall, Message, Part, Tool, ToolCall, ToolChoice
from server.engines.prompt import offered, render

TIMER = Tool("set_timer", {"type": "object", "properties": {"minutes": {"type": "integer"}}}, "Start a countdown.")
MAP = Tool("show_map", {"type": "object"})
CALLS = (ToolCall("c1", "set_timer", '{"minutes": 5}'), ToolCall("c2", "show_map", "{}"))


def say(role, text: str = "", **more) -> Message:
    return Message(role, (Part("text", text),) if text else (), **more)


def tools(choice: ToolChoice = ToolChoice(), parallel: bool = True) -> Contract:
    return Contract("tools", "{}", {}, tools=(TIMER, MAP), tool_choice=choice, parallel=parallel)


def shown(form, *messages: Message, contract: Contract = Contract()) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in render(EngineCall("r", messages, contract), form)]


@pytest.mark.parametrize(
    ("before", "system"),
    [
        ([], "set_timer show_map"),
        ([say("system", "Be brief.")], "Be brief.\nset_timer show_map"),
        ([say("developer", "Be brief.")], "Be brief.\nset_timer show_map"),
        ([say("system")], "set_timer show_map"),
    ],
)
def test_names_stand_in_the_system_message_after_the_clients_own_text(before, system: str) -> None:
    assert shown("names", *before, say("user", "hi"), contract=tools()) == [("system", system), ("user", "hi")]


@pytest.mark.parametrize("form", ["names", "full"])
def test_without_a_contract_nothing_is_added(form) -> None:
    assert shown(form, say("user", "hi")) == [("user", "hi")]
    assert shown(form, say("developer", "x"), say("user", "hi")) == [("system", "x"), ("user", "hi")]


def test_a_schema_shows_the_bundled_models_its_property_names() -> None:
    contract = Contract("json_schema", "{}", {"properties": {"city": {}, "days": {}}})
    assert shown("names", say("user", "hi"), contract=contract)[0] == ("system", "JSON city days")
    assert shown("names", say("user", "hi"), contract=Contract("json_object", "{}", {}))[0] == ("system", "JSON")
    assert shown("full", say("user", "hi"), contract=contract) == [("user", "hi")]


def test_the_full_form_describes_every_function() -> None:
    ((role, text), _) = shown("full", say("user", "hi"), contract=tools())
    assert role == "system"
    assert text.endswith(
        'set_timer: Start a countdown.\n{"type":"object","properties":{"minutes":{"type":"integer"}}}\nshow_map\n{"type":"object"}'
    )
    assert '{"message":' in text


def test_only_what_may_be_said_is_explained() -> None:
    required = shown("full", say("user", "hi"), contract=tools(ToolChoice("required"), parallel=False))[0][1]
    assert '{"message":' not in required
    assert "one function at most" in required
    named = tools(ToolChoice("named", ("show_map",)))
    assert offered(named) == (MAP,)
    assert shown("names", say("user", "hi"), contract=named)[0] == ("system", "show_map")


@pytest.mark.parametrize("form", ["names", "full"])
def test_calls_and_results_become_text(form) -> None:
    history = (
        say("user", "timer"),
        say("assistant", tool_calls=CALLS),
        say("tool", '{"ok":true}', tool_call_id="c1"),
        say("tool", "shown", tool_call_id="c2"),
        say("tool", "lost", tool_call_id="c9"),
    )
    assert shown(form, *history, contract=tools())[2:] == [
        ("assistant", '{"tool_calls":[{"name":"set_timer","arguments":{"minutes":5}},{"name":"show_map","arguments":{}}]}'),
        ("user", 'Result of set_timer: {"ok":true}'),
        ("user", "Result of show_map: shown"),
        ("user", "Result of function: lost"),
    ]


def test_an_answer_in_words_is_shown_in_the_form_that_is_asked_for() -> None:
    draft = '{"tool_calls":[{"name":"nothing"}]}'
    turns = (say("assistant", "żółw"), say("assistant", draft), say("assistant"))
    said = [text for _, text in shown("names", *turns, contract=tools())[1:]]
    assert said == ['{"message":"żółw"}', draft, ""]
    assert shown("names", *turns)[0] == ("assistant", "żółw")


@pytest.mark.parametrize("arguments", ["five", '{"a":"\\ud800"}', "[" * 100_000], ids=["a word", "half a character", "without end"])
def test_arguments_that_are_no_json_stay_text(arguments: str) -> None:
    turn = say("assistant", "so:", tool_calls=(ToolCall("c", "set_timer", arguments),))
    text = shown("full", turn)[0][1]
    assert text.startswith("so:\n")
    assert text.encode()
    assert json.loads(text.split("\n")[1])["tool_calls"][0]["arguments"] == arguments


def test_a_result_is_of_the_call_before_it_where_a_client_counts_its_calls_anew() -> None:
    turns = [
        message
        for name in ("set_timer", "show_map")
        for message in (say("assistant", tool_calls=(ToolCall("0", name, "{}"),)), say("tool", "ok", tool_call_id="0"))
    ]
    assert [text for role, text in shown("full", *turns) if role == "user"] == ["Result of set_timer: ok", "Result of show_map: ok"]


def test_parts_that_are_not_text_are_kept() -> None:
    picture = Part("image", payload='{"type":"image_url"}')
    (message,) = render(EngineCall("r", (Message("user", (Part("text", "look"), picture)),)), "full")
    assert message.parts[1] == picture
    (_, result) = render(EngineCall("r", (say("user", "x"), Message("tool", (picture,)))), "full")
    assert result.parts == (Part("text", "Result of function: "), picture)


@pytest.mark.parametrize("form", ["names", "full"])
def test_a_guide_stands_before_everything_else_and_alone(form) -> None:
    call = EngineCall("r", (say("system", "Be brief."), say("user", "hi")), tools(), guide="The form.\nExamples:")
    assert [(message.role, message.text) for message in render(call, form)] == [
        ("system", "The form.\nExamples:\nBe brief."),
        ("user", "hi"),
    ]
