"""Every form of answer, vectors, greedy answers beside the embedded engine's, and the bench."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

import httpx
import jsonschema_rs
from asking import chat, said, streamed, whole
from gateway import ROOT, Gateway

from models.generate import examples
from server.assistant import registry

AGREEMENT = 0.98
"""The least share of greedy answers that must be those of the embedded engine: the grammars' freedom to spell leaves room for the rest."""
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
PROSE = ("Hello", "Tell me a joke")


async def forms(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """What vLLM's structured outputs hold the answer to, and that its numbers are log-probabilities under it."""
    valid = jsonschema_rs.validator_for(WEATHER)
    asked: list[tuple[str, dict[str, Any], Callable[[str], bool]]] = [
        ("JSON Schema", {"response_format": _schema(WEATHER)}, lambda text: valid.is_valid(json.loads(text))),
        ("JSON object", {"response_format": {"type": "json_object"}}, lambda text: isinstance(json.loads(text), dict)),
        ("regex", {"structured_outputs": {"regex": r"[0-9]{2}%"}}, lambda text: bool(re.fullmatch(r"[0-9]{2}%", text))),
        ("choice", {"structured_outputs": {"choice": ["yes", "no", "maybe"]}}, lambda text: text in ("yes", "no", "maybe")),
        ("grammar", {"structured_outputs": {"grammar": 'root ::= ("a" | "b") "c"'}}, lambda text: text in ("ac", "bc")),
    ]
    for name, form, right in asked:
        for stream in (False, True):
            response = await chat(
                client, "plain/small", "what is the weather in Oslo?", max_tokens=120, logprobs=True, top_logprobs=5, stream=stream, **form
            )
            text, numbers = streamed(response.text) if stream else whole(response)
            told = bool(numbers) and all(number <= 0 for number in numbers)
            gateway.check(
                f"{name}{', streamed' if stream else ''}", response.status_code == 200 and _holds(right, text) and told, text[:80]
            )


async def either(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Tools beside a form: a call or JSON of the form, and what `tool_choice` leaves of the two."""
    valid, function = jsonschema_rs.validator_for(WEATHER), registry.tools()[0]
    tool = {"name": function.name, "parameters": dict(function.parameters), "description": function.description}
    asked = {"tools": [{"type": "function", "function": tool}], "response_format": _schema(WEATHER), "max_tokens": 200}
    for choice in ("auto", "none", "required"):
        message = (await chat(client, "plain/small", "weather?", tool_choice=choice, **asked)).json()["choices"][0]["message"]
        called = [call["function"]["name"] for call in message.get("tool_calls") or ()]
        formed = message["content"] is not None and valid.is_valid(json.loads(message["content"]))
        right = {"auto": bool(called) != formed, "none": formed and not called, "required": called[:1] == [function.name]}
        gateway.check(f"tools beside a form, tool_choice {choice}", right[choice], called or message["content"])


async def modes(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Under a contract, what each mode of log-probabilities reports, at a temperature where `top_k` leaves one token to draw.

    Processed ones are then all 0 and say nothing of the model, so that the gateway tells them, and keeps drafts by them, at temperature 0
    only.
    """
    heated = {"temperature": 2, "top_k": 1}
    for model, mode, sampling, told in (
        ("plain/small", "raw", heated, True),
        ("processed", "processed", heated, False),
        ("processed", "processed", {}, True),
    ):
        form = {"response_format": _schema(WEATHER), "max_tokens": 120, "logprobs": True, "top_logprobs": 5}
        text, numbers = whole(await chat(client, model, "weather?", **form, **sampling))
        what = f"{mode} log-probabilities{', drawn hot' if sampling else ''}"
        gateway.check(what, bool(text) and (min(numbers, default=0) < 0) == told, f"least of {len(numbers)}: {min(numbers, default=None)}")
    for temperature, tier in ((2, "large"), (0, "hot")):
        answer = await chat(client, "scored", "Hello", temperature=temperature, max_tokens=16, stream=True)
        found = answer.headers.get("x-smallfirst-tier")
        gateway.check(f"processed ones at temperature {temperature} are {'no ' if temperature else ''}evidence", found == tier, found)


def _holds(right: Callable[[str], bool], text: str) -> bool:
    try:
        return right(text)
    except ValueError:
        return False


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


async def vectors(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Embeddings by vLLM's pooling server."""
    response = await client.post("/v1/embeddings", json={"model": "vectors", "input": ["a timer", "a timer", "the weather"]})
    found = [entry["embedding"] for entry in response.json().get("data", ())]
    good = len(found) == 3 and found[0] == found[1] != found[2]
    gateway.check("embeddings", good, f"{len(found[0])} dimensions" if found else response.text)


async def parity(gateway: Gateway, client: httpx.AsyncClient, n: int) -> None:
    """Greedy answers, tool calls and prose, against the embedded engine's."""
    tools = {
        tool.name: {"name": tool.name, "parameters": dict(tool.parameters), "description": tool.description} for tool in registry.tools()
    }
    for size in ("small", "large"):
        same = 0
        for example in islice(examples("test", 11), n):
            offered = [{"type": "function", "function": tools[name]} for name in example.functions]
            found = [await chat(client, f"{route}/{size}", example.messages[-1].content, tools=offered) for route in ("auto", "embedded")]
            real, own = map(said, found)
            same += real == own
            if real != own:
                print(f"    differs: {example.messages[-1].content!r}: vLLM {real}, embedded {own}", file=sys.stderr)
        gateway.check(f"greedy answers with tools, {size}", same >= AGREEMENT * n, f"{same} of {n} equal the embedded engine's")
        words = [[said(await chat(client, f"{route}/{size}", text)) for route in ("auto", "embedded")] for text in PROSE]
        gateway.check(f"greedy prose, {size}", all(one == other for one, other in words), words[0][0][:60])


async def cascade(gateway: Gateway, client: httpx.AsyncClient, n: int) -> None:  # noqa: ARG001  # the bench has its own client
    """The bench over two vLLM servers."""
    command = [sys.executable, str(ROOT / "bench/cascade.py"), "--json", "--n", str(n), "--url", gateway.url]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    bench = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    told, wrong = await bench.communicate()
    found = json.loads(told)["cascade"] if bench.returncode == 0 else {}
    detail = {name: found[name] for name in ("accuracy", "schema_validity", "share_small", "p50")} if found else wrong.decode()[-300:]
    gateway.check(f"the cascade over two vLLM servers, {n} requests", found.get("schema_validity") == 1.0, detail)
