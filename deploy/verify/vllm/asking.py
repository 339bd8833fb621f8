"""Questions to the gateway, and what came back."""

import json
from typing import Any

import httpx


async def ready(client: httpx.AsyncClient, *engines: str) -> bool:
    """Whether these engines are up."""
    try:
        up = (await client.get("/readyz")).json()["engines"]
    except httpx.TransportError:
        return False
    return all(up[engine] for engine in engines)


async def chat(client: httpx.AsyncClient, model: str, text: str, **more: Any) -> httpx.Response:
    """One request."""
    messages = [*more.pop("before", ()), {"role": "user", "content": text}]
    return await client.post("/v1/chat/completions", json={"model": model, "messages": messages, "temperature": 0, **more})


def said(response: httpx.Response) -> str:
    """What was answered: calls as JSON, else the words, else the error's code."""
    if response.status_code != 200:
        return f"{response.status_code} {response.json()['error']['code']}"
    message = response.json()["choices"][0]["message"]
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return json.dumps([[call["name"], json.loads(call["arguments"])] for call in calls]) if calls else str(message["content"])


def whole(response: httpx.Response) -> tuple[str, list[float]]:
    """Text and log-probabilities of a JSON answer."""
    if response.status_code != 200:
        return response.text, []
    [choice] = response.json()["choices"]
    return choice["message"]["content"], [token["logprob"] for token in (choice["logprobs"] or {}).get("content") or ()]


def streamed(body: str) -> tuple[str, list[float]]:
    """Those of a stream."""
    events = [json.loads(line.removeprefix("data: ")) for line in body.split("\n\n") if line.startswith("data: {")]
    choices = [choice for event in events for choice in event.get("choices", ())]
    numbers = [token["logprob"] for choice in choices for token in (choice.get("logprobs") or {}).get("content") or ()]
    return "".join(choice["delta"].get("content") or "" for choice in choices), numbers
