"""What goes in comes out: a conversation through the engine's wire and back, an answer as JSON and as a stream, whatever is in them."""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.contract import Limits
from router.types import Contract, EngineCall, Message, Part, Sampling, ToolCall
from server.api.naming import Target
from server.api.parsing import parse
from server.api.translate import translate
from server.api.wire import ChatRequest
from server.engines.openai.flavours import FLAVOURS
from server.engines.openai.options import OpenAIOptions
from server.engines.openai.wire import Dialect
from tests.server.harness import chunks, running, world

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b", "ü", "日"]), VALUES, max_size=3)
SAMPLING = st.builds(
    Sampling,
    temperature=st.floats(0, 2),
    top_p=st.none() | st.floats(0.01, 1),
    seed=st.none() | st.integers(0, 2**31),
    max_tokens=st.none() | st.integers(1, 4096),
    stop=st.lists(TEXT.filter(bool), max_size=4, unique=True).map(tuple),
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Turns of a client and an assistant, some of them whole tool loops."""
    found = [Message("system", (Part("text", draw(TEXT)),))] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 3))):
        found.append(Message("user", (Part("text", draw(TEXT)),)))
        if draw(st.booleans()):
            call = ToolCall(f"call_{turn}", "f", json.dumps(draw(ARGUMENTS)))
            found += [Message("assistant", (), (call,)), Message("tool", (Part("text", draw(TEXT)),), tool_call_id=call.id)]
        else:
            found.append(Message("assistant", (Part("text", draw(TEXT)),)))
    return (*found, Message("user", (Part("text", draw(TEXT)),)))


PARTS = world().gateway.parts


@given(conversations(), SAMPLING)
@settings(deadline=None, max_examples=150)
def test_a_conversation_is_the_same_behind_another_gateway(messages: tuple[Message, ...], sampling: Sampling) -> None:
    dialect = Dialect(
        OpenAIOptions(name="e", base_url="http://localhost/v1", model="auto", flavour="vllm", tools="native"), FLAVOURS["vllm"]
    )
    sent = dialect.write(EngineCall("r", messages, Contract(), sampling)).body
    facts = PARTS.names.routes["auto"]
    found = translate(parse(sent, ChatRequest), Target("auto", None), facts, "r", Limits())
    assert found.messages == messages
    assert found.sampling == sampling


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


async def both(draft: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The message of the JSON answer, and the deltas of the streamed one."""
    async with running([draft]) as made:
        whole = await made.ask(**body)
        assert whole.status_code == 200, whole.text
        streamed = chunks(await made.ask(**body, stream=True))
    return whole.json()["choices"][0]["message"], [choice["delta"] for chunk in streamed for choice in chunk["choices"]]


@given(st.lists(ARGUMENTS, min_size=1, max_size=3))
@settings(deadline=None, max_examples=40)
def test_calls_are_the_same_as_json_and_as_a_stream(arguments: list[dict[str, Any]]) -> None:
    draft = json.dumps({"tool_calls": [{"name": "f", "arguments": given} for given in arguments]}, ensure_ascii=False)
    message, deltas = asyncio.run(both(draft, {"tools": [TOOL]}))
    joined = [""] * len(arguments)
    for delta in deltas:
        for call in delta.get("tool_calls") or ():
            joined[call["index"]] += call["function"]["arguments"]
    assert [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]] == arguments
    assert joined == [call["function"]["arguments"] for call in message["tool_calls"]]


@given(TEXT.filter(str.strip))
@settings(deadline=None, max_examples=40)
def test_words_are_the_same_as_json_and_as_a_stream(text: str) -> None:
    message, deltas = asyncio.run(both(text, {}))
    assert message["content"] == "".join(delta.get("content") or "" for delta in deltas) == text
