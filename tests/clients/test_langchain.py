"""LangChain's ChatOpenAI: a chat, a stream, structured output by each method and a tool loop, through both of OpenAI's endpoints."""

import pytest

pytest.importorskip("langchain_openai", reason="`make clients` installs it")

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Timer(BaseModel):
    """A countdown."""

    minutes: int


@tool
def set_timer(minutes: int) -> str:  # noqa: ARG001  # the model sees its name
    """Start a countdown."""
    return "done"  # a result that repeats the request is a new request to models as tiny as the bundled ones


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def model(url: str, request: pytest.FixtureRequest) -> ChatOpenAI:
    return ChatOpenAI(model="auto", base_url=url, api_key="none", max_retries=0, timeout=60, use_responses_api=request.param)


def test_a_chat_is_answered(model: ChatOpenAI) -> None:
    found = model.invoke([SystemMessage("You are an assistant."), HumanMessage("Hello")])
    assert found.text
    assert found.usage_metadata["total_tokens"] > 0


def test_a_stream_joins_to_a_message(model: ChatOpenAI) -> None:
    pieces = [*model.stream("Hello")]
    assert len(pieces) > 2
    joined = pieces[0]
    for piece in pieces[1:]:
        joined += piece
    assert joined.text


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output_is_the_model_asked_for(model: ChatOpenAI, method: str) -> None:
    found = model.with_structured_output(Timer, method=method).invoke("Set a timer for 5 minutes")
    assert isinstance(found, Timer)


def test_a_tool_loop_goes_round(model: ChatOpenAI) -> None:
    bound = model.bind_tools([set_timer])
    said = [HumanMessage("Set a timer for 5 minutes")]
    called = bound.invoke(said)
    assert [(call["name"], call["args"]) for call in called.tool_calls] == [("set_timer", {"minutes": 5})]
    results = [set_timer.invoke(call) for call in called.tool_calls]
    assert bound.invoke([*said, called, *results]).text


def test_a_forced_tool_streams_its_call(model: ChatOpenAI) -> None:
    joined = None
    for piece in model.bind_tools([set_timer], tool_choice="set_timer").stream("Set a timer for 5 minutes"):
        joined = piece if joined is None else joined + piece
    assert [(call["name"], call["args"]) for call in joined.tool_calls] == [("set_timer", {"minutes": 5})]


async def test_the_asynchronous_side_does_the_same(model: ChatOpenAI) -> None:
    assert (await model.ainvoke("Hello")).text
    assert [piece async for piece in model.astream("Hello")]
