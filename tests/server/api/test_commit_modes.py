"""The gated commit, the early abort and the keep-alives, through the whole application."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from router.errors import EngineFailure
from router.types import GenerationRequest, Message, Part, Token
from server.access.presence import Waiting
from server.api.sse import KEEP_ALIVE, first_of, silence
from tests.server.harness import CALL, TOOLS, WRONG, Reply, chunks, content, running


def spoken(logprob: float, count: int = 8) -> Reply:
    """One chunk a token; the evidence of all of them comes with the first."""
    return Reply(chunks=tuple(f"w{i} " for i in range(count)), tokens=(Token("w0 ", logprob),) * 4)


GATED = {"commit": "gated", "gate_tokens": 4, "gate_limit": -1.0}


async def test_a_sure_beginning_opens_the_gate_and_the_rest_is_live() -> None:
    async with running([spoken(-0.1)], route=GATED) as world:
        response = await world.ask(stream=True)
        assert world.small.calls[0].live
    found = chunks(response)
    assert content(found) == "".join(f"w{i} " for i in range(8))
    assert found[-1]["smallfirst"]["tier"] == "small"
    assert not world.large.calls


async def test_an_unsure_beginning_is_never_seen_and_stops_upstream() -> None:
    async with running([spoken(-3.0)], ["large says"], route=GATED) as world:
        response = await world.ask(stream=True)
    found = chunks(response)
    assert content(found) == "large says"
    assert "w0" not in response.text
    assert len(world.small.cancelled) == 1
    assert response.headers["x-smallfirst-deferrals"] == "confidence"
    assert found[-1]["smallfirst"]["usage"]["completion_tokens"] >= 4


async def test_a_beginning_without_evidence_is_not_shown() -> None:
    async with running([Reply(chunks=("a b c ", "d e f"))], ["large says"], route=GATED) as world:
        response = await world.ask(stream=True)
    assert content(chunks(response)) == "large says"
    assert response.headers["x-smallfirst-deferrals"] == "abstain"


async def test_a_failure_behind_the_gate_is_one_error_event() -> None:
    reply = Reply(chunks=("a ", "b ", "c"), tokens=(Token("a", -0.1),) * 4, failure=EngineFailure("cable cut"))
    async with running([reply], route=GATED) as world:
        response = await world.ask(stream=True)
    last = [line for line in response.text.split("\n\n") if line][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "engine_error"
    assert not world.large.calls


@pytest.mark.parametrize("asked", [{"tools": TOOLS}, {"n": 2}])
async def test_a_contract_keeps_the_verified_mode(asked: dict[str, Any]) -> None:
    async with running(
        [Reply(WRONG, choices=("",) if "n" in asked else ())], [Reply(CALL, choices=("x",) if "n" in asked else ())], route=GATED
    ) as world:
        response = await world.ask(stream=True, **asked)
    assert response.headers["x-smallfirst-tier"] == "large"
    assert "launch_rocket" not in response.text


async def test_a_hopeless_draft_is_stopped_at_once_and_counted() -> None:
    late = Reply(chunks=('{"tool_calls":[{"name":"launch_', 'rocket","arguments":{}}]}', " and more"), pause=0.01)
    async with running([late], [CALL], route={"early_abort": True}) as world:
        response = await world.ask(tools=TOOLS, headers={"x-smallfirst-explain": "1"})
        assert await world.metric("deferrals_total", route="auto", tier="small", reason="contract") == 1
    told = response.json()["smallfirst"]["attempts"]
    assert (told[0]["deferral"], told[0]["verdicts"][0]["reason"]) == ("contract", "hopeless")
    assert told[0]["usage"]["completion_tokens"] > 0
    assert told[0]["cost_usd"] > 0
    assert len(world.small.cancelled) == 1
    assert world.small.calls[0].live
    assert told[1]["tier"] == "large"


@pytest.mark.parametrize(
    ("early", "reason", "said"),
    [({"limit": -1.0, "after": 3}, "confidence", "hopeless"), ({"tokens": 3}, "length", "too_many_tokens")],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_prose_past_the_limits_is_stopped_at_once_and_counted(early: dict[str, Any], reason: str, said: str, stream: bool) -> None:
    unsure = Reply(chunks=tuple(f"w{i} " for i in range(50)), tokens=(Token("w0 ", -3.0),) * 3, pause=0.01)
    async with running([unsure], ["large says"], route={"early_abort": early}) as world:
        response = await world.ask(stream=stream, headers={"x-smallfirst-explain": "1"})
        assert await world.metric("deferrals_total", route="auto", tier="small", reason=reason) == 1
    told = (chunks(response)[-1] if stream else response.json())["smallfirst"]["attempts"][0]
    assert (told["deferral"], told["verdicts"][-1]["reason"]) == (reason, said)
    assert 0 < told["usage"]["completion_tokens"] <= 5
    assert told["cost_usd"] > 0
    assert len(world.small.cancelled) == 1
    assert "w0" not in response.text


async def test_without_the_option_a_draft_runs_to_its_end() -> None:
    async with running([WRONG], [CALL]) as world:
        await world.ask(tools=TOOLS)
    assert not world.small.cancelled
    assert not world.small.calls[0].live


async def test_the_last_tier_is_never_stopped_early() -> None:
    async with running([WRONG], [WRONG], route={"early_abort": True}) as world:
        assert (await world.ask(tools=TOOLS)).status_code == 503
    assert not world.large.cancelled


async def test_silence_is_filled_with_comments() -> None:
    async with running([Reply("small says", delay=0.2)], route={"keepalive_after": 0.05}) as world:
        response = await world.ask(stream=True)
    assert response.text.startswith(": keep-alive\n\n")
    assert "x-smallfirst-tier" not in response.headers
    assert response.headers["x-smallfirst-route"] == "auto"
    assert content(chunks_after(response.text)) == "small says"


async def test_a_quick_answer_has_no_comments() -> None:
    async with running(["small says"], route={"keepalive_after": 5}) as world:
        response = await world.ask(stream=True)
    assert ": keep-alive" not in response.text
    assert response.headers["x-smallfirst-tier"] == "small"


async def test_after_a_comment_a_failure_is_an_event_and_no_done() -> None:
    slow = Reply(WRONG, delay=0.15)
    async with running([slow], [WRONG], route={"keepalive_after": 0.05}) as world:
        response = await world.ask(stream=True, tools=TOOLS)
    blocks = [line for line in response.text.split("\n\n") if line and not line.startswith(":")]
    assert response.status_code == 200
    assert [json.loads(block.removeprefix("data: "))["error"]["code"] for block in blocks] == ["cascade_exhausted"]


async def waiting() -> dict[str, Any]:
    """A client that stays and says nothing."""
    await asyncio.Event().wait()
    return {}


def chunks_after(text: str) -> list[dict[str, Any]]:
    events = [line.removeprefix("data: ") for line in text.split("\n\n") if line and not line.startswith(":")]
    assert events[-1] == "[DONE]"
    return [json.loads(event) for event in events[:-1]]


async def test_a_client_that_leaves_during_the_silence_stops_the_work() -> None:
    async with running([Reply(hang=True)], route={"keepalive_after": 0.05}) as world:
        events = world.gateway.parts.cascades["auto"].stream(GenerationRequest("r", "auto", (Message("user", (Part("text", "hi"),)),)))
        pending = await first_of(events, Waiting(waiting), 0.05)
        assert isinstance(pending, asyncio.Task)
        async with aclosing(events), aclosing(silence(pending, 0.01)) as comments:
            assert await anext(comments) == KEEP_ALIVE
    assert len(world.small.cancelled) == 1
    assert not world.small.running
