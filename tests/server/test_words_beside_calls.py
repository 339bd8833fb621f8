"""Words that a server gives beside its own tool calls reach the client with them, judged too; those of a rejected draft never do."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from server.build import gateway
from server.config import checked
from tests.server.engines.openai.upstream import Play, Upstream, completion, delta, json_play, serving, sse_play
from tests.server.harness import TOOLS

WORDS = "Let me set that for you."
SECRET = "The launch code is 4711."
BODY: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "five minutes"}], "tools": TOOLS}
FUNCTIONS: list[Any] = [{"type": "function", **TOOLS[0]["function"]}]  # type: ignore[dict-item]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def called(name: str = "set_timer", minutes: int = 5) -> list[dict[str, object]]:
    return [{"index": 0, "id": "a", "type": "function", "function": {"name": name, "arguments": json.dumps({"minutes": minutes})}}]


def said(words: str, name: str = "set_timer", minutes: int = 5) -> Play:
    return json_play(completion(words, "tool_calls", tool_calls=called(name, minutes)))


def streamed(words: str) -> Play:
    return sse_play(*[delta(word) for word in words.split(" ")], delta(tool_calls=called()), delta(finish="tool_calls"))


@asynccontextmanager
async def behind(
    *plays: Play, verifiers: tuple[dict[str, Any], ...] = (), **changes: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Upstream, Any]]:
    """Two tiers on one server, which is asked for its own tool calls."""
    async with serving(*plays) as upstream:
        engine = {"kind": "openai", "base_url": upstream.url, "model": "m", "retries": 0, "tools": "native"}
        tiers = [{"engine": name, "price": {"prompt": 1, "completion": 1}} for name in ("slm", "llm")]
        route = {"tiers": tiers, "verifiers": [{"kind": "contract"}, {"kind": "function"}, *verifiers], "repair": 0, **changes}
        settings = checked({"engines": {"slm": engine, "llm": engine}, "routes": {"auto": route}})
        made = gateway(settings, Path("/nowhere"), write=lambda line: None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://localhost") as client:
            yield client, upstream, AsyncOpenAI(api_key="-", base_url="http://localhost/v1", http_client=client, max_retries=0)
        for found in made.parts.engines.values():
            await found.close()


async def test_a_whole_answer_has_both() -> None:
    async with behind(said(WORDS)) as (_, _, official):
        choice = (await official.chat.completions.create(**BODY)).choices[0]
    assert (choice.message.content, choice.finish_reason) == (WORDS, "tool_calls")
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"minutes": 5}


@pytest.mark.parametrize("play", [said(WORDS), streamed(WORDS)], ids=["whole", "a stream"])
@pytest.mark.parametrize("early", [False, True])
async def test_a_stream_has_the_words_and_then_the_calls(play: Play, early: bool) -> None:
    """An early abort reads the draft as it comes, and has nothing against the words."""
    async with behind(play, early_abort=early) as (_, upstream, official):
        deltas = [chunk.choices[0].delta async for chunk in await official.chat.completions.create(**BODY, stream=True) if chunk.choices]
    assert len(upstream.requests) == 1
    words = WORDS if play.content_type == "application/json" else WORDS.replace(" ", "")
    assert "".join(found.content or "" for found in deltas) == words
    assert "".join(call.function.arguments for found in deltas for call in found.tool_calls or ()) == '{"minutes":5}'
    kinds = ["calls" if found.tool_calls else "words" for found in deltas if found.content or found.tool_calls]
    assert kinds == sorted(kinds, reverse=True)


async def test_a_response_has_a_message_and_then_the_calls() -> None:
    async with behind(said(WORDS)) as (client, _, official):
        whole = await official.responses.create(model="auto", input="five minutes", tools=FUNCTIONS)
        asked = {"model": "auto", "input": "five minutes", "tools": FUNCTIONS, "stream": True}
        text = (await client.post("/v1/responses", json=asked)).text
    assert [item.type for item in whole.output] == ["message", "function_call"]
    assert whole.output_text == WORDS
    events = [EVENT.validate_json(block.partition("data: ")[2]) for block in text.split("\n\n") if block]
    assert [item.type for item in events[-1].response.output] == ["message", "function_call"]
    assert [(event.type.removeprefix("response.output_item."), event.output_index) for event in events if "output_item" in event.type] == [
        ("added", 0),
        ("done", 0),
        ("added", 1),
        ("done", 1),
    ]
    assert {event.output_index for event in events if "arguments" in event.type} == {1}


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_of_a_rejected_drafts_words_is_seen(stream: bool) -> None:
    async with behind(said(SECRET, "launch_rocket"), said(WORDS)) as (client, upstream, _):
        found = await client.post("/v1/chat/completions", json={**BODY, "stream": stream})
    assert len(upstream.requests) == 2
    assert "launch" not in found.text
    assert '"tool_calls"' in found.text


@pytest.mark.parametrize(
    "verifier",
    [
        {"kind": "guard", "patterns": ["launch code"]},
        {"kind": "rule", "expression": "!answer.message.contains('launch code')"},
        {"kind": "grounded"},
    ],
    ids=lambda verifier: str(verifier["kind"]),
)
async def test_the_words_are_judged_as_those_of_a_message_are(verifier: dict[str, Any]) -> None:
    async with behind(said(SECRET), said(WORDS), verifiers=(verifier,), when_all_abstain="accept") as (client, upstream, _):
        message = (await client.post("/v1/chat/completions", json=BODY)).json()["choices"][0]["message"]
    assert (message["content"], len(upstream.requests)) == (WORDS, 2)


async def test_a_loop_goes_on_with_words_and_calls_of_its_turn() -> None:
    async with behind(said(WORDS)) as (_, upstream, official):
        message = (await official.chat.completions.create(**BODY)).choices[0].message
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "ok"}
        turns = [*BODY["messages"], message.model_dump(exclude_none=True), result]
        await official.chat.completions.create(**BODY | {"messages": turns})
    turn = upstream.requests[-1]["messages"][1]
    assert (turn["content"], turn["tool_calls"][0]["function"]["name"]) == (WORDS, "set_timer")


async def test_beside_a_form_the_words_are_left_out() -> None:
    """A client reads content as that form: the official one would fail on anything else."""
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    async with serving(said(WORDS)) as upstream:
        engine = {"kind": "openai", "base_url": upstream.url, "model": "m", "retries": 0, "tools": "native", "flavour": "openai"}
        route = {"tiers": [{"engine": "llm", "price": {"prompt": 1, "completion": 1}}]}
        made = gateway(checked({"engines": {"llm": engine}, "routes": {"auto": route}}), Path("/nowhere"), write=lambda line: None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://localhost") as client:
            message = (await client.post("/v1/chat/completions", json={**BODY, "response_format": form})).json()["choices"][0]["message"]
        for found in made.parts.engines.values():
            await found.close()
    assert message["content"] is None
    assert len(message["tool_calls"]) == 1
