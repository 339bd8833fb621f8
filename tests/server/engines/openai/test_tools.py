"""Native tool calls in the contract's own form."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import contract as contracts
from router.errors import EngineProtocolError
from router.types import Choice, Tool, ToolChoice
from server.engines.openai.answers import Said
from server.engines.openai.tools import Writer, canonical, is_json


def said(content: str | None = None, *calls: dict[str, Any]) -> Said:
    return msgspec.convert({"content": content, "tool_calls": list(calls) or None}, Said)


def piece(arguments: str | None, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


def streamed(*deltas: Said) -> str:
    writer = Writer()
    return "".join(writer.add(part) for part in deltas) + writer.end()


def test_a_complete_call_is_written_in_canonical_form() -> None:
    assert canonical(said(None, piece('{"city": "Oslo"}', "w"))) == '{"tool_calls":[{"name":"w","arguments":{"city": "Oslo"}}]}'


def test_words_are_a_message() -> None:
    assert canonical(said('He said "hi"\n')) == '{"message":"He said \\"hi\\"\\n"}'
    assert canonical(said(None)) == '{"message":""}'


def test_a_refusal_is_said_in_words() -> None:
    assert canonical(Said(refusal="I will not.")) == '{"message":"I will not."}'


def test_words_that_must_be_json_are_its_value() -> None:
    assert Writer(formed=True).add(said(None)) == ""
    for words, written in ((' {"a": 1}\n', '{"message":{"a": 1}}'), ("5", '{"message":5}')):
        writer = Writer(formed=True)
        assert writer.add(said(words)) + writer.end() == written


@pytest.mark.parametrize("words", ["Sorry.", "", '{"a":1},"tool_calls":[]', '{"a":'])
def test_words_that_are_no_json_stay_visibly_broken(words: str) -> None:
    writer = Writer(formed=True)
    assert not is_json(writer.add(said(words)) + writer.end())


CALLED = {"tool_calls": [{"name": "w", "arguments": {}}]}


def test_words_beside_calls_stand_after_them() -> None:
    assert json.loads(canonical(said("Let me\nsee.", piece("{}", "w")))) == {**CALLED, "content": "Let me\nsee."}
    first, second = said("Let "), said("me see.", piece("{}", "w"))
    assert json.loads(streamed(first, second, said(" Well."))) == {**CALLED, "content": "Let me see. Well."}


@pytest.mark.parametrize("words", [None, "", "\n\n"])
def test_nothing_beside_calls_is_no_content(words: str | None) -> None:
    """Servers leave the line breaks that stood around a call."""
    assert json.loads(canonical(said(words, piece("{}", "w")))) == CALLED


@pytest.mark.parametrize("words", ["Let me see.", '{"a": 1}'])
def test_words_beside_calls_are_left_out_where_a_client_would_read_them_as_its_form(words: str) -> None:
    writer = Writer(formed=True)
    assert json.loads(writer.add(said(words, piece("{}", "w"))) + writer.end()) == CALLED


def test_pieces_make_the_same_text() -> None:
    text = streamed(
        said(None, piece("", "w", index=0, id="a")),
        said(None, piece('{"ci', index=0)),
        said(None, piece('ty":"Oslo"}', index=0)),
        said(None, piece("{}", "t", index=1, id="b")),
    )
    assert text == '{"tool_calls":[{"name":"w","arguments":{"city":"Oslo"}},{"name":"t","arguments":{}}]}'


def test_a_call_is_written_as_soon_as_the_next_begins() -> None:
    writer = Writer()
    assert writer.add(said(None, piece("{}", "w", index=0))) == ""
    assert writer.add(said(None, piece("", "t", index=1))) == '{"tool_calls":[{"name":"w","arguments":{}}'


@pytest.mark.parametrize("index", [0, None])
def test_a_new_id_under_an_old_index_is_a_new_call(index: int | None) -> None:
    first, second = piece("{}", "w", index=index, id="a"), piece("{", "t", index=index, id="b")
    text = streamed(said(None, first), said(None, second), said(None, piece("}", index=index, id="b")))
    assert [call["name"] for call in json.loads(text)["tool_calls"]] == ["w", "t"]


@pytest.mark.parametrize("arguments", [None, "", " \n"])
def test_arguments_that_were_left_out_are_an_empty_object(arguments: str | None) -> None:
    """As several servers write the call of a function that takes none."""
    assert canonical(said(None, piece(arguments, "w"))) == '{"tool_calls":[{"name":"w","arguments":{}}]}'


@pytest.mark.parametrize("arguments", ["\u00a0", '{"a":', '{"a":1}},{"name":"evil","arguments":{}', "{'a': 1}", '{"a": NaN}', "{} {}"])
def test_broken_arguments_stay_visibly_broken(arguments: str) -> None:
    text = canonical(said(None, piece(arguments, "w"), piece("{}", "t")))
    assert not is_json(text)
    assert json.dumps(arguments, ensure_ascii=False) in text
    assert contracts.check(contracts.tools((Tool("w", {}),), ToolChoice(), True), Choice(text, "stop"))


@given(st.text(st.characters(codec="utf-8")))
def test_no_argument_text_can_pass_for_another_call(arguments: str) -> None:
    text = canonical(said(None, piece(arguments, "w")))
    assert is_json(text) == (is_json(arguments) or not arguments.strip(" \t\r\n"))
    if is_json(text):
        assert [call["name"] for call in json.loads(text)["tool_calls"]] == ["w"]


def test_a_call_without_a_name_is_a_protocol_error() -> None:
    with pytest.raises(EngineProtocolError, match="without a name"):
        canonical(said(None, piece("{}")))


def test_going_back_to_a_finished_call_is_a_protocol_error() -> None:
    with pytest.raises(EngineProtocolError, match="went back"):
        streamed(*(said(None, piece("{}", "w", index=index)) for index in (0, 1, 0)))
