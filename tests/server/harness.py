"""The smallest gateway that shows a rule: two scripted tiers behind the real application."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from server.build import Gateway, gateway
from server.config import Settings, checked
from server.engines.scripted import Reply, Script, ScriptedEngine

PATH = "/v1/chat/completions"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "set_timer",
            "description": "Start a countdown.",
            "parameters": {
                "type": "object",
                "properties": {"minutes": {"type": "integer", "minimum": 1}},
                "required": ["minutes"],
                "additionalProperties": False,
            },
        },
    }
]
CALL = '{"tool_calls":[{"name":"set_timer","arguments":{"minutes":5}}]}'
WRONG = '{"tool_calls":[{"name":"launch_rocket","arguments":{}}]}'


def settings(**changes: Any) -> Settings:
    """Two tiers, the two hard gates, prose accepted as it comes."""
    route = {
        "tiers": [
            {"name": "small", "engine": "slm", "price": {"prompt": 1, "completion": 1}},
            {"name": "large", "engine": "llm", "price": {"prompt": 10, "completion": 10}},
        ],
        "verifiers": [{"kind": "contract"}, {"kind": "function"}],
        "when_all_abstain": "accept",
        "repair": 0,
    }
    document = {
        "engines": {"slm": {"kind": "scripted", "replies": ["-"]}, "llm": {"kind": "scripted", "replies": ["-"]}},
        "routes": {"auto": route | changes.pop("route", {})},
        "aliases": {"gpt-4o": "auto", "best": "auto/large"},
    }
    return checked(document | changes)


@dataclass(slots=True)
class World:
    """A gateway over two scripted engines, and what it logged."""

    small: ScriptedEngine
    large: ScriptedEngine
    gateway: Gateway
    lines: list[str]
    client: httpx.AsyncClient = field(init=False)

    async def ask(self, text: str = "hi", headers: Mapping[str, str] | None = None, **body: Any) -> httpx.Response:
        """A chat request with one user message."""
        return await self.post({"model": "auto", "messages": [{"role": "user", "content": text}], **body}, headers)

    async def post(self, body: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Any body as JSON."""
        return await self.client.post(PATH, json=body, headers=headers)

    async def metric(self, name: str, **labels: str) -> float:
        """A sample's value; 0 where there is none yet."""
        return self.gateway.metrics.registry.get_sample_value(f"smallfirst_{name}", labels) or 0.0

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The log lines."""
        return [json.loads(line) for line in self.lines]


def world(small: Script = ("small says",), large: Script = ("large says",), **changes: Any) -> World:
    """A gateway whose tiers answer by these scripts."""
    engines = {"slm": ScriptedEngine("slm", small), "llm": ScriptedEngine("llm", large)}
    lines: list[str] = []
    made = gateway(settings(**changes), Path("/nowhere"), engines=engines, write=lines.append)
    found = World(engines["slm"], engines["llm"], made, lines)
    transport = httpx.ASGITransport(made.app, raise_app_exceptions=False)
    found.client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    return found


@asynccontextmanager
async def running(small: Script = ("small says",), large: Script = ("large says",), **changes: Any) -> AsyncIterator[World]:
    """The same, closed at the end."""
    made = world(small, large, **changes)
    async with made.client:
        yield made


def alive(made: World) -> AbstractAsyncContextManager[Any]:
    """From the start of the application to its end, which waits for audits and closes connections."""
    return made.gateway.app.router.lifespan_context(made.gateway.app)


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    """The JSON payloads of a stream that ended as it should."""
    events = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert events[-1] == "[DONE]", events[-1]
    return [json.loads(event) for event in events[:-1]]


def content(found: list[dict[str, Any]]) -> str:
    """The text that the deltas join to."""
    return "".join(choice["delta"].get("content") or "" for chunk in found for choice in chunk["choices"])


def error(response: httpx.Response) -> tuple[int, str, str, str | None]:
    """Status, type, code and param of an error in OpenAI's shape."""
    body = response.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert body["message"]
    return response.status_code, body["type"], body["code"], body["param"]


__all__ = ["CALL", "PATH", "TOOLS", "WRONG", "Reply", "World", "alive", "chunks", "content", "error", "running", "settings", "world"]
