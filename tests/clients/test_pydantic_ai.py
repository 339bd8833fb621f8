"""pydantic-ai: agents over chat completions and over responses, with plain, streamed and structured answers and tools."""

import pytest

pytest.importorskip("pydantic_ai", reason="`make clients` installs it")

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput, UsageLimits
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


class Timer(BaseModel):
    """Start a countdown."""

    minutes: int


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel], ids=["chat", "responses"])
def model(url: str, request: pytest.FixtureRequest) -> Model:
    made: Model = request.param("auto", provider=OpenAIProvider(base_url=url, api_key="none"))
    return made


async def test_a_chat_is_answered_and_goes_on(model: Model) -> None:
    agent = Agent(model)
    first = await agent.run("Hello")
    second = await agent.run("Hello again", message_history=first.all_messages())
    assert first.output
    assert second.output
    assert first.usage.output_tokens > 0


async def test_a_stream_ends_with_the_whole_answer(model: Model) -> None:
    async with Agent(model).run_stream("Hello") as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
    assert len(pieces) > 1


@pytest.mark.parametrize("form", [NativeOutput, ToolOutput])
async def test_structured_output_is_the_model_asked_for(model: Model, form: type) -> None:
    found = await Agent(model, output_type=form(Timer)).run("Set a timer for 5 minutes")
    assert isinstance(found.output, Timer)


async def test_a_tool_is_called_and_the_loop_ends_in_text(model: Model) -> None:
    agent = Agent(model)
    started: list[int] = []

    @agent.tool_plain
    def set_timer(minutes: int) -> str:
        """Start a countdown."""
        started.append(minutes)
        return "started"

    found = await agent.run("Set a timer for 5 minutes", usage_limits=UsageLimits(request_limit=4))
    assert started == [5]
    assert found.output


async def test_a_tool_loop_ends_in_the_model_asked_for(model: Model) -> None:
    agent = Agent(model, output_type=NativeOutput(Timer))
    started: list[int] = []

    @agent.tool_plain
    def set_timer(minutes: int) -> str:
        """Start a countdown."""
        started.append(minutes)
        return "started"

    found = await agent.run("Set a timer for 5 minutes", usage_limits=UsageLimits(request_limit=4))
    assert started == [5]
    assert isinstance(found.output, Timer)
