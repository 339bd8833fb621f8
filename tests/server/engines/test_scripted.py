"""The test double keeps the engine port's promises."""

import asyncio

import pytest

from router.errors import EngineOverloaded, EngineTimeout
from router.types import Chunk, Contract, Token, Usage
from server.engines.scripted import Reply, ScriptedEngine, confident


async def test_replies_come_in_order_and_the_last_one_stays(ask, read) -> None:
    engine = ScriptedEngine("s", ["one", Reply("two")])
    said = [(await read(engine.stream(ask())))[0].text for _ in range(3)]
    assert said == ["one", "two", "two"]
    assert len(engine.calls) == 3
    assert not engine.cancelled


async def test_a_function_sees_the_call(ask, read) -> None:
    engine = ScriptedEngine("s", lambda call: call.messages[-1].text.upper())
    assert (await read(engine.stream(ask("hi"))))[0].text == "HI"


async def test_chunks_tokens_finish_reason_and_usage(ask, read) -> None:
    tokens = (Token("a", -0.5, -0.7, True),)
    reply = Reply(chunks=("a", "b"), tokens=tokens, finish_reason="length", usage=Usage(3, 2), reasoning="hm")
    assert await read(ScriptedEngine("s", [reply]).stream(ask())) == [
        Chunk(0, "a", tokens, reasoning="hm"),
        Chunk(0, "b"),
        Chunk(0, finish_reason="length", usage=Usage(3, 2)),
    ]


async def test_further_choices_follow_with_usage_once_at_the_end(ask, read) -> None:
    chunks = await read(ScriptedEngine("s", [Reply("a b", choices=("c", "d"))]).stream(ask("x y z")))
    assert [chunk.index for chunk in chunks if chunk.finish_reason] == [0, 1, 2]
    assert [chunk.usage for chunk in chunks if chunk.usage] == [Usage(3, 4)]
    assert chunks[-1].usage


async def test_an_empty_answer_still_ends(ask, read) -> None:
    assert [chunk.finish_reason for chunk in await read(ScriptedEngine("s").stream(ask()))] == ["stop"]


@pytest.mark.parametrize(("chunks", "seen"), [((), 0), (("a", "b"), 2)])
async def test_a_failure_is_raised_after_the_chunks_that_came_before_it(ask, chunks, seen: int) -> None:
    engine = ScriptedEngine("s", [Reply(chunks=chunks, failure=EngineOverloaded("full"))])
    stream = engine.stream(ask())
    assert [(await anext(stream)).text for _ in range(seen)] == list(chunks)
    with pytest.raises(EngineOverloaded):
        await anext(stream)
    assert not engine.cancelled
    assert not engine.running


async def test_a_hang_lasts_until_the_caller_gives_up(ask, read) -> None:
    engine = ScriptedEngine("s", [Reply(hang=True)])
    task = asyncio.create_task(read(engine.stream(call := ask())))
    await asyncio.sleep(0.01)
    assert engine.running == [call]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.cancelled == [call]
    assert not engine.running


async def test_closing_the_iterator_early_is_recorded(ask) -> None:
    engine = ScriptedEngine("s", [Reply(chunks=("a", "b"))])
    stream = engine.stream(call := ask())
    await anext(stream)
    await stream.aclose()
    assert engine.cancelled == [call]


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply("late", delay=1.0), Reply(chunks=("a", "b", "c"), pause=0.02)])
async def test_a_deadline_is_a_timeout(ask, read, reply: Reply) -> None:
    engine = ScriptedEngine("s", [reply])
    with pytest.raises(EngineTimeout):
        await read(engine.stream(ask(seconds=0.03)))
    assert not engine.cancelled


async def test_health_support_and_counting(ask) -> None:
    engine = ScriptedEngine("s", supported=frozenset({"none"}))
    assert engine.supports(Contract())
    assert not engine.supports(Contract("regex", "a"))
    assert engine.prompt_tokens(ask("one two")) == 2
    assert await engine.healthy()
    await engine.close()
    assert not await engine.healthy()


def test_confident_tokens_join_to_the_text() -> None:
    tokens = confident("set a timer", -0.2)
    assert "".join(token.text for token in tokens) == "set a timer"
    assert {token.logprob for token in tokens} == {-0.2}
    assert all(token.free for token in tokens)
