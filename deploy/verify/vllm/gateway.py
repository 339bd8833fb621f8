"""The gateway on a free port, with real vLLM servers that it starts itself."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from adapters import write

ROOT = Path(__file__).parents[3]
CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
ARGUMENTS = {
    "dtype": "float32",
    "max-model-len": 1024,
    "enforce-eager": True,
    "disable-uvicorn-access-log": True,
    "structured-outputs-config": {"disable_any_whitespace": True, "backend": "xgrammar"},
}
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


def settings(executable: str, ports: dict[str, int], adapters: dict[str, str]) -> dict[str, Any]:
    """The demonstration's route over vLLM as `auto` and over the embedded engine as `embedded`; `plain` takes any prose.

    `adapted` has a tier for each adapter of the small model; `processed` and `scored` are about the other mode of log-probabilities.
    """
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
    hot = {**ARGUMENTS, "logprobs-mode": "processed_logprobs"}
    engines["hot"] = {**common, "model": str(ROOT / "models/small"), "port": ports["hot"], "arguments": hot}
    price = {"prompt": 0.02, "completion": 0.04}
    processed = {**plain, "tiers": [{"engine": "hot", "price": price}]}
    gated = {"commit": "gated", "gate_tokens": 4, "gate_limit": -1000.0}
    scored = {**plain, **gated, "tiers": [*processed["tiers"], route["tiers"][1]]}
    engines |= {name: {"kind": "adapter", "of": "slm", "adapter": name} for name in adapters}
    engines["slm"]["adapters"] = adapters
    adapted = {**plain, "tiers": [{"engine": name, "price": price} for name in adapters]}
    routes = {"auto": route, "embedded": {**route, "tiers": inside}, "plain": plain, "vectors": vectors}
    routes |= {"processed": processed, "scored": scored, "adapted": adapted}
    return {"access": {"open": True}, "functions": demo["functions"], "engines": engines, "routes": routes}


@contextmanager
def served(executable: str, cpu_build: str | None) -> Iterator[Gateway]:
    """The gateway on a free port, its servers with it."""
    gateway_port, *others = free_ports(5)
    with tempfile.TemporaryDirectory() as folder:
        path, program = Path(folder) / "vllm.yaml", Path(folder) / "vllm"
        if cpu_build:
            program.write_text(CPU_BUILD.replace("{python}", cpu_build))
            program.chmod(0o755)
            executable = str(program)
        ports = dict(zip(("slm", "llm", "emb", "hot"), others, strict=True))
        adapters = write(ROOT / "models/small", Path(folder))
        path.write_text(yaml.safe_dump(settings(executable, ports, adapters)))
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
