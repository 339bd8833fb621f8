"""Streams: nothing before the commit, nothing of a rejected draft ever, one account at the end."""

import json

import pytest

from router.errors import EngineFailure
from router.types import Token, Usage
from tests.server.harness import CALL, TOOLS, WRONG, Reply, chunks, content, error, running


async def test_text_is_replayed_in_words_and_ends_with_its_reason() -> None:
    async with running(["small words  here\n"]) as world:
        response = await world.ask(stream=True)
    found = chunks(response)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-smallfirst-tier"] == "small"
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert content(found) == "small words  here\n"
    assert len(found) > 4
    assert found[-1]["choices"][0]["finish_reason"] == "stop"
    assert {chunk["object"] for chunk in found} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in found}) == 1


async def test_the_last_chunk_carries_the_totals() -> None:
    async with running([WRONG], [CALL]) as world:
        found = chunks(await world.ask(stream=True, tools=TOOLS))
    assert [("smallfirst" in chunk) for chunk in found] == [False] * (len(found) - 1) + [True]
    assert found[-1]["smallfirst"]["tier"] == "large"
    assert found[-1]["smallfirst"]["deferrals"] == ["contract"]


async def test_usage_stands_in_one_more_chunk_when_asked() -> None:
    async with running([Reply("a b", usage=Usage(7, 2))]) as world:
        found = chunks(await world.ask(stream=True, stream_options={"include_usage": True}))
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["total_tokens"] == 9
    assert "smallfirst" in found[-1]
    assert found[-2]["choices"][0]["finish_reason"] == "stop"


async def test_tool_calls_stream_as_head_and_pieces_of_arguments() -> None:
    calls = {"tool_calls": [{"name": "set_timer", "arguments": {"minutes": n}} for n in (5, 6)]}
    async with running([json.dumps(calls)]) as world:
        found = chunks(await world.ask(stream=True, tools=TOOLS))
    deltas = [delta for chunk in found for choice in chunk["choices"] for delta in choice["delta"].get("tool_calls", ())]
    heads = [delta for delta in deltas if "id" in delta]
    assert [(head["index"], head["function"]) for head in heads] == [
        (0, {"name": "set_timer", "arguments": ""}),
        (1, {"name": "set_timer", "arguments": ""}),
    ]
    for index, minutes in enumerate((5, 6)):
        pieces = "".join(delta["function"]["arguments"] for delta in deltas if delta["index"] == index)
        assert json.loads(pieces) == {"minutes": minutes}
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_nothing_of_a_rejected_draft_is_seen() -> None:
    async with running([WRONG], [CALL]) as world:
        response = await world.ask(stream=True, tools=TOOLS)
    assert "launch_rocket" not in response.text
    assert "set_timer" in response.text


async def test_a_failure_before_the_commit_is_an_ordinary_http_error() -> None:
    async with running([WRONG], [WRONG]) as world:
        response = await world.ask(stream=True, tools=TOOLS)
    assert error(response) == (503, "api_error", "cascade_exhausted", None)


async def test_a_failure_after_the_commit_is_one_error_event_and_no_done() -> None:
    async with running(large=[Reply(chunks=("live ", "text"), failure=EngineFailure("cable cut"))]) as world:
        response = await world.ask(stream=True, model="auto/large")
        assert await world.metric("requests_total", route="auto", tier="", code="engine_error") == 1
    events = [line for line in response.text.split("\n\n") if line]
    assert response.status_code == 200
    assert json.loads(events[-1].removeprefix("data: "))["error"]["code"] == "engine_error"
    assert sum("error" in json.loads(event.removeprefix("data: ")) for event in events) == 1


async def test_prose_of_the_last_tier_is_live() -> None:
    async with running(large=[Reply(chunks=("live ", "text"))]) as world:
        found = chunks(await world.ask(stream=True, model="auto/large"))
        assert world.large.calls[0].live
    assert [chunk["choices"][0]["delta"].get("content") for chunk in found] == ["", "live ", "text", None]


async def test_log_probabilities_stream_with_their_tokens() -> None:
    tokens = (Token("a", -0.1), Token(" b", -0.2))
    async with running([Reply("a b", tokens=tokens)]) as world:
        found = chunks(await world.ask(stream=True, logprobs=True))
    told = [chunk["choices"][0]["logprobs"]["content"][0] for chunk in found if chunk["choices"][0]["logprobs"]]
    assert [entry["token"] for entry in told] == ["a", " b"]


async def test_several_choices_stream_under_their_index() -> None:
    async with running([Reply("one", choices=("two",))]) as world:
        found = chunks(await world.ask(stream=True, n=2))
    texts = ["".join(c["delta"].get("content") or "" for chunk in found for c in chunk["choices"] if c["index"] == i) for i in (0, 1)]
    assert texts == ["one", "two"]
    assert sum(bool(choice["finish_reason"]) for chunk in found for choice in chunk["choices"]) == 2


@pytest.mark.parametrize("asked", [{}, {"tools": TOOLS}, {"n": 2}])
async def test_json_is_the_fold_of_the_stream(asked: dict[str, object]) -> None:
    reply = Reply(CALL if "tools" in asked else "some words", choices=("more",) if "n" in asked else ())
    async with running([reply]) as world:
        whole = (await world.ask(**asked)).json()
        found = chunks(await world.ask(stream=True, **asked))
    for choice in whole["choices"]:
        deltas = [c["delta"] for chunk in found for c in chunk["choices"] if c["index"] == choice["index"]]
        assert "".join(delta.get("content") or "" for delta in deltas) == (choice["message"]["content"] or "")
        arguments = "".join(call["function"]["arguments"] for delta in deltas for call in delta.get("tool_calls", ()))
        assert arguments == "".join(call["function"]["arguments"] for call in choice["message"].get("tool_calls", ()))


async def test_an_asked_for_explanation_stands_in_the_last_chunk() -> None:
    async with running([WRONG], [CALL]) as world:
        response = await world.ask(stream=True, tools=TOOLS, headers={"x-smallfirst-explain": "1"})
    told = chunks(response)[-1]["smallfirst"]
    assert [attempt["tier"] for attempt in told["attempts"]] == ["small", "large"]
    assert "launch_rocket" not in response.text


async def test_tokens_that_do_not_spell_the_answer_are_told_beside_it_and_never_in_its_place() -> None:
    tokens = (Token("an answer", -0.1), Token("<|mark|>", -0.2), Token(" in words", -0.3))
    async with running([Reply("an answer in words", tokens=tokens)]) as world:
        found = chunks(await world.ask(stream=True, logprobs=True))
    told = [entry["token"] for chunk in found if (known := chunk["choices"][0]["logprobs"]) for entry in known["content"]]
    assert (content(found), told) == ("an answer in words", [token.text for token in tokens])
