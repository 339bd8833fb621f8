"""One line a request, and no word of the client or the model in it."""

import pytest

from router.errors import EngineFailure
from tests.server.harness import CALL, PATH, TOOLS, Reply, running


async def test_a_request_is_one_json_line_without_content() -> None:
    async with running(['{"message":"the model said so"}'], [CALL]) as world:
        await world.ask("the client asked so", tools=TOOLS, tool_choice="required", metadata={"a": "private"})
        [line] = world.lines
        [logged] = world.logged
    assert not [word for word in ("model said", "client asked", "private", "minutes") if word in line]
    assert logged["event"] == "request"
    assert (logged["tier"], logged["deferrals"]) == ("large", ["contract"])
    assert [attempt["tier"] for attempt in logged["attempts"]] == ["small", "large"]
    assert (logged["contract"], logged["code"]) == ("tools", "ok")
    told = [(verdict["verifier"], verdict["ruling"], verdict["reason"]) for verdict in logged["attempts"][0]["verdicts"]]
    assert told == [("contract", "defer", "tools")]
    assert logged["cost_usd"] > 0


CANARIES = ("canary-prompt", "canary-answer", "canary-key", "canary-metadata", "canary-tool", "canary-user", "canary-draft")


async def test_nothing_of_prompts_answers_tools_or_keys_is_written_whatever_happens(capsys: pytest.CaptureFixture[str]) -> None:
    """Answers, escalations, refusals of every kind, a failing engine: each writes at most facts."""
    tool = [{"type": "function", "function": {"name": "canary-tool", "parameters": {"type": "object"}}}]
    headers = {"authorization": "Bearer canary-key"}
    failing = Reply(failure=EngineFailure("canary-answer"))
    async with running(['{"message":"canary-draft"}', "canary-draft", failing], ["canary-answer", "canary-answer", failing]) as world:
        for body in (
            {"tools": tool, "tool_choice": "required", "metadata": {"a": "canary-metadata"}},
            {"stream": True, "user": "canary-user"},
            {},
            {"model": "canary-prompt"},
            {"temperature": "canary-prompt"},
            {"canary-prompt": 1},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "canary-prompt"}}}},
        ):
            await world.ask("canary-prompt", headers=headers, **body)
        await world.client.post(PATH, content=b'{"model": "canary-prompt', headers=headers)
    written = "\n".join(world.lines) + "".join(capsys.readouterr())
    assert world.lines
    assert not [canary for canary in CANARIES if canary in written]


async def test_every_request_that_reaches_a_cascade_is_one_line_of_json() -> None:
    async with running(["fine"] * 3) as world:
        for stream in (False, True, False):
            await world.ask(stream=stream)
    assert [logged["event"] for logged in world.logged] == ["request"] * 3
    assert not [line for line in world.lines if "\n" in line]
