"""LlamaIndex: its client for servers that speak OpenAI's protocol, and its agent, with the bundled models."""

import pytest

pytest.importorskip("llama_index.llms.openai_like", reason="`make clients` installs it")

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel


class Timer(BaseModel):
    """Start a countdown."""

    minutes: int


def set_timer(minutes: int) -> str:  # noqa: ARG001  # the model sees its name
    """Start a countdown."""
    return "done"  # a result that repeats the request is a new request to models as tiny as the bundled ones


TOOL = FunctionTool.from_defaults(set_timer)


@pytest.fixture
def llm(url: str) -> OpenAILike:
    return OpenAILike(
        model="auto",
        api_base=url,
        api_key="none",
        is_chat_model=True,
        is_function_calling_model=True,
        should_use_structured_outputs=True,
        context_window=1024,
        max_tokens=96,
        max_retries=0,
    )


def test_a_chat_is_answered(llm: OpenAILike) -> None:
    assert llm.chat([ChatMessage(role="user", content="Hello")]).message.content


def test_a_text_is_completed(llm: OpenAILike) -> None:
    assert llm.complete("Hello").text


def test_a_stream_grows_to_the_whole_answer(llm: OpenAILike) -> None:
    pieces = [*llm.stream_chat([ChatMessage(role="user", content="Hello")])]
    assert len(pieces) > 2
    assert pieces[-1].message.content == "".join(piece.delta or "" for piece in pieces)


def test_structured_output_is_the_model_asked_for(llm: OpenAILike) -> None:
    found = llm.as_structured_llm(Timer).chat([ChatMessage(role="user", content="Set a timer for 5 minutes")])
    assert isinstance(found.raw, Timer)


def test_a_tool_loop_goes_round(llm: OpenAILike) -> None:
    said = [ChatMessage(role="user", content="Set a timer for 5 minutes")]
    first = llm.chat_with_tools([TOOL], chat_history=said)
    calls = llm.get_tool_calls_from_response(first)
    assert [(call.tool_name, call.tool_kwargs) for call in calls] == [("set_timer", {"minutes": 5})]
    results = [ChatMessage(role="tool", content="started", additional_kwargs={"tool_call_id": call.tool_id}) for call in calls]
    assert llm.chat_with_tools([TOOL], chat_history=[*said, first.message, *results]).message.content


async def test_an_agent_calls_the_tool_and_answers(llm: OpenAILike) -> None:
    agent = FunctionAgent(tools=[TOOL], llm=llm, streaming=True)
    found = await agent.run("Set a timer for 5 minutes")
    assert [(call.tool_name, call.tool_kwargs) for call in found.tool_calls] == [("set_timer", {"minutes": 5})]
    assert str(found)
