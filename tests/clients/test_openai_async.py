"""The official client, asynchronous: a chat, a stream, structured output and a tool loop, through either of its endpoints."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI, pydantic_function_tool
from pydantic import BaseModel


class SetTimer(BaseModel):
    """Start a countdown."""

    minutes: int


TOOL = pydantic_function_tool(SetTimer, name="set_timer")
FLAT = {"type": "function", **TOOL["function"]}
ASKED = [{"role": "user", "content": "Set a timer for 5 minutes"}]


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as made:
        yield made


async def test_chats_run_side_by_side(client: AsyncOpenAI) -> None:
    asked = [client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}]) for _ in range(4)]
    found = await asyncio.gather(*asked)
    assert len({one.id for one in found}) == 4
    assert all(one.choices[0].message.content and one.usage.total_tokens > 0 for one in found)


async def test_a_stream_with_its_helper_ends_as_the_whole_answer(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="auto", messages=[{"role": "user", "content": "Hello"}]) as stream:
        deltas = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    assert deltas
    assert "".join(deltas) == final.choices[0].message.content


async def test_a_streamed_tool_call_is_parsed_into_its_model(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="auto", messages=ASKED, tools=[TOOL], tool_choice="required") as stream:
        final = await stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.parsed_arguments) == ("set_timer", SetTimer(minutes=5))


async def test_structured_output_streams_into_its_model(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="auto", messages=ASKED, response_format=SetTimer) as stream:
        final = await stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, SetTimer)


async def test_a_loop_ends_in_structured_output(client: AsyncOpenAI) -> None:
    asked = {"model": "auto", "tools": [TOOL], "response_format": SetTimer}
    first = (await client.chat.completions.parse(messages=ASKED, **asked)).choices[0]
    assert first.message.tool_calls[0].function.parsed_arguments == SetTimer(minutes=5)
    results = [{"role": "tool", "tool_call_id": call.id, "content": "started"} for call in first.message.tool_calls]
    async with client.chat.completions.stream(messages=[*ASKED, first.message, *results], **asked) as stream:
        second = (await stream.get_final_completion()).choices[0]
    assert isinstance(second.message.parsed, SetTimer)


async def test_a_chat_loop_goes_round(client: AsyncOpenAI) -> None:
    first = (await client.chat.completions.create(model="auto", messages=ASKED, tools=[TOOL])).choices[0]
    assert first.finish_reason == "tool_calls"
    results = [{"role": "tool", "tool_call_id": call.id, "content": "started"} for call in first.message.tool_calls]
    second = await client.chat.completions.create(model="auto", messages=[*ASKED, first.message, *results], tools=[TOOL])
    assert second.choices[0].message.content


async def test_a_loop_of_responses_goes_round_on_stored_responses(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="auto", input="Set a timer for 5 minutes", tools=[FLAT])
    call = first.output[0]
    assert json.loads(call.arguments) == {"minutes": 5}
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "started"} for call in first.output]
    second = await client.responses.create(model="auto", input=results, previous_response_id=first.id, tools=[FLAT])
    assert second.output_text
    assert second.previous_response_id == first.id


async def test_a_response_streams_into_its_model(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="auto", input="Set a timer for 5 minutes", text_format=SetTimer) as stream:
        numbers = [event.sequence_number async for event in stream]
        final = await stream.get_final_response()
    assert numbers == [*range(len(numbers))]
    assert isinstance(final.output_parsed, SetTimer)


async def test_a_stream_that_is_left_is_closed(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="auto/large", messages=[{"role": "user", "content": "Hello"}], stream=True)
    await anext(aiter(stream))
    await stream.close()
    assert (await client.models.list()).data
