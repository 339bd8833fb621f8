"""Every kind of wrong small answer, whole and streamed: the client gets the large tier's right one, and not one byte of the draft."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.errors import EngineFailure, EngineProtocolError
from server.build import gateway
from server.engines.scripted import ScriptedEngine
from tests.server.engines.openai.upstream import Play, completion, delta, json_play, serving, sse_play
from tests.server.harness import PATH, Reply, chunks, content, running, settings

MARK = "zq9draft"
TIMER: dict[str, Any] = {
    "type": "object",
    "properties": {"minutes": {"type": "integer", "minimum": 1}, "label": {"type": "string"}},
    "required": ["minutes", "label"],
    "additionalProperties": False,
}
CALLS = {"tools": [{"type": "function", "function": {"name": "set_timer", "parameters": TIMER}}], "tool_choice": "required"}
FORM = {"response_format": {"type": "json_schema", "json_schema": {"name": "timer", "schema": TIMER}}}
RIGHT: dict[str, Any] = {"minutes": 5, "label": "tea"}


def called(name: str = "set_timer", **arguments: Any) -> str:
    return json.dumps({"tool_calls": [{"name": name, "arguments": arguments}]})


def said(text: str, **more: Any) -> Reply:
    """A draft in several pieces, so that the first of them could leak before the last one shows the fault."""
    third = max(1, len(text) // 3)
    return Reply(chunks=(text[:third], text[third : 2 * third], text[2 * third :]), pause=0.001, **more)


WRONG_CALLS = {
    "unknown tool": said(called(MARK, minutes=5, label="tea")),
    "unknown tool beside a known one": said(
        json.dumps({"tool_calls": [{"name": "set_timer", "arguments": RIGHT}, {"name": MARK, "arguments": {}}]})
    ),
    "wrong type": said(called(minutes=MARK, label="tea")),
    "value out of bounds": said(called(minutes=0, label=MARK)),
    "missing argument": said(called(label=MARK)),
    "extra argument": said(called(minutes=5, label="tea", extra=MARK)),
    "arguments as text": said(json.dumps({"tool_calls": [{"name": "set_timer", "arguments": json.dumps(RIGHT | {"label": MARK})}]})),
    "no calls": said(json.dumps({"tool_calls": [], "note": MARK})),
    "broken JSON": said('{"tool_calls": [{"name": "set_timer", "arguments": {"minutes": 5, "label": "' + MARK),
    "prose instead of a call": said(f"Sure, I will set the {MARK} timer for five minutes."),
    "a message instead of a call": said(json.dumps({"message": MARK})),
    "a call and prose": said(f"{called(minutes=5, label=MARK)} There you are."),
    "a number beyond every float": said(
        '{"tool_calls":[{"name":"set_timer","arguments":{"minutes":' + "9" * 400 + f',"label":["{MARK}"]}}}}]}}'
    ),
    "the same key twice": said('{"tool_calls":[{"name":"set_timer","arguments":{"minutes":5,"label":"' + MARK + '","label":"tea"}}]}'),
    "a letter that looks like it": said(called("set_tim\u0435r", minutes=5, label=MARK)),
    "fenced": said(f"```json\n{called(minutes=5, label=MARK)}\n```"),
    "cut off": said(called(minutes=5, label=MARK), finish_reason="length"),
}
WRONG_FORMS = {
    "wrong schema": said(json.dumps({"hours": MARK})),
    "wrong type": said(json.dumps({"minutes": MARK, "label": "tea"})),
    "missing property": said(json.dumps({"label": MARK})),
    "extra property": said(json.dumps(RIGHT | {MARK: 1})),
    "an array": said(json.dumps([MARK])),
    "twice the same key": said('{"minutes": 5, "label": "' + MARK + '", "label": "tea"}'),
    "not a number of JSON": said('{"minutes": NaN, "label": "' + MARK + '"}'),
    "broken JSON": said('{"minutes": 5, "label": "' + MARK),
    "prose": said(f"The {MARK} timer is set."),
    "cut off": said(json.dumps(RIGHT | {"label": MARK}), finish_reason="length"),
}
FAILED = {
    "empty": Reply(),
    "blank": Reply("  \n"),
    "engine error": Reply(failure=EngineFailure(f"500 {MARK}")),
    "engine error in the middle": Reply(chunks=(called(minutes=5, label=MARK)[:50],), failure=EngineFailure("reset")),
    "protocol error": Reply(chunks=(MARK,), failure=EngineProtocolError("HTML")),
    "timeout": replace(said(called(minutes=5, label=MARK)[:-3]), hang=True),
}
CASES = [
    *(pytest.param(reply, CALLS, id=f"call-{name}") for name, reply in (WRONG_CALLS | FAILED).items()),
    *(pytest.param(reply, FORM, id=f"form-{name}") for name, reply in (WRONG_FORMS | FAILED).items()),
]
ROUTES: dict[str, dict[str, Any]] = {
    "plain": {},
    "repaired": {"repair": 1},
    "aborted early": {"early_abort": True},
    "hedged": {"hedge_after": 0.001},
}


def right(response: httpx.Response, asked: Mapping[str, Any], *, stream: bool) -> None:
    """The large tier's answer, whole, and nothing else."""
    assert response.status_code == 200, response.text
    assert MARK not in response.text
    assert MARK not in str(response.headers)
    if stream:
        deltas = [choice["delta"] for chunk in chunks(response) for choice in chunk["choices"]]
        calls = [call for delta_ in deltas for call in delta_.get("tool_calls", ())]
        names = [call["function"]["name"] for call in calls if "id" in call]
        told = "".join(call["function"]["arguments"] for call in calls) if calls else content(chunks(response))
    else:
        message = response.json()["choices"][0]["message"]
        names = [call["function"]["name"] for call in message.get("tool_calls", ())]
        told = message["tool_calls"][0]["function"]["arguments"] if names else message["content"]
    assert json.loads(told) == RIGHT
    assert names == (["set_timer"] if "tools" in asked else [])


def large(asked: Mapping[str, Any]) -> str:
    return called(**RIGHT) if "tools" in asked else json.dumps(RIGHT)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(("draft", "asked"), CASES)
async def test_a_wrong_draft_is_never_seen(draft: Reply, asked: dict[str, Any], stream: bool) -> None:
    """On every kind of route, with the explanation that the client may ask for."""
    for options in ROUTES.values():
        budget = {"budget": {"deadline": 1.5}} if draft.hang else {}
        async with running([draft], [Reply(large(asked), delay=0.005)], route={**budget, **options}) as world:
            response = await world.ask(stream=stream, headers={"x-smallfirst-explain": "1"}, **asked)
            right(response, asked, stream=stream)
            assert response.headers["x-smallfirst-tier"] == "large"
            assert world.small.calls
            assert MARK not in "".join(world.lines)


HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1>" + MARK.encode() + b"</body></html>"
PLAYS = {
    "HTML page under 200": Play((HTML,), content_type="text/html"),
    "HTML page that says it is JSON": Play((HTML,)),
    "HTML page that says it is a stream": Play((HTML,), content_type="text/event-stream"),
    "HTML page under 502": Play((HTML,), 502, "text/html"),
    "HTTP 500": json_play({"error": {"message": MARK}}, 500),
    "HTTP 400": json_play({"error": {"message": MARK}}, 400),
    "an error under 200": json_play({"error": {"message": MARK}}),
    "an empty body": Play((b"",)),
    "a wrong call": json_play(completion(called(label=MARK))),
    "a wrong stream": sse_play(delta(called(label=MARK)), delta(finish="stop")),
    "a stream without end": sse_play(delta(MARK), done=False),
    "a stream that is cut": sse_play(delta(called(minutes=5, label=MARK)[:40]), ending="abort"),
    "silence": Play((b" ",), ending="hang"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)
async def test_what_a_real_upstream_gets_wrong_is_never_seen(play: Play, stream: bool) -> None:
    """The small tier behind the engine for OpenAI-compatible servers, on a socket of this machine."""
    async with serving(play) as upstream:
        small = {"kind": "openai", "base_url": upstream.url, "model": "m", "retries": 0}
        engines = {"slm": small, "llm": {"kind": "scripted", "replies": ["-"]}}
        made = settings(engines=engines, route={"budget": {"deadline": 1.0}, "early_abort": stream})
        served = gateway(made, Path("/nowhere"), engines={"llm": ScriptedEngine("llm", [called(**RIGHT)])}, write=lambda line: None)
        transport = httpx.ASGITransport(served.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        async with served.app.router.lifespan_context(served.app), client:
            body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "stream": stream, **CALLS}
            response = await client.post(PATH, json=body)
            right(response, CALLS, stream=stream)
            assert upstream.requests
