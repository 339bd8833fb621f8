"""The gateways of the bench, each behind the same constant upstream; peers live in virtual environments of their own.

`PEERS/NAME/bin` holds each one: `pip install 'litellm[proxy]'` in `litellm`, `sglang-router` in `sglang`, `cascadeflow openai` in
`cascadeflow`, `fastapi uvicorn uvloop httptools pyreqwest` in `fastapi`; one that is not there is said to be missing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import free_ports, pinned, stop
from bench.upstream import wait_for

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a gateway on a port before an upstream, whose address is without /v1."""

    command: list[str]
    ready: str = "/health"
    environment: Environment | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A gateway that answers; `seconds` is how long that took."""

    url: str
    process: subprocess.Popen[bytes] | None
    seconds: float


@contextmanager
def started(launch: Callable[[int], Launch], core: int | None) -> Iterator[Started]:
    """The gateway, on one core, or with `None` on every one, until the block ends."""
    (port,) = free_ports(1)
    found = launch(port)
    command = pinned(core, found.command)
    process = subprocess.Popen(command, env=found.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  # the gateway
    try:
        url = f"http://127.0.0.1:{port}"
        yield Started(url, process, wait_for(url + found.ready, process, paths=(200, 401, 404)))
    finally:
        stop(process)


def settings(small: str, large: str, folder: Path, calibration: Path, *, gated: bool, **listen: object) -> Path:
    """Smallfirst's configuration: two tiers, contract, function and confidence, metrics, and the store on."""
    route: dict[str, object] = {
        "tiers": [
            {"name": "small", "engine": "slm", "price": {"prompt": 0.1, "completion": 0.2}},
            {"name": "large", "engine": "llm", "price": {"prompt": 1, "completion": 2}},
        ],
        "verifiers": [
            {"kind": "contract"},
            {"kind": "function"},
            {"kind": "confidence", "score": "learned", "calibration": str(calibration)},
        ],
        "repair": 0,
    }
    if gated:
        route |= {"commit": "gated", "gate_limit": -5.0, "when_all_abstain": "accept"}
    engines = {
        name: {"kind": "openai", "flavour": "vllm", "base_url": f"{url}/v1", "model": "bench", "max_connections": 4096}
        for name, url in (("slm", small), ("llm", large))
    }
    document = {
        "listen": {"max_concurrency": 4096, **listen},
        "access": {"open": True},
        "engines": engines,
        "routes": {"bench": route},
        "default_route": "bench",
        "outcomes": {"url": f"sqlite:///{folder}/outcomes.db"},
    }
    path = folder / "smallfirst.json"
    path.write_text(json.dumps(document))
    return path


def smallfirst(path: Path, workers: int = 1) -> Callable[[int], Launch]:
    """This project, by a configuration."""
    more = ["--workers", str(workers)] if workers > 1 else []
    base = [sys.executable, "-m", "server", "serve", "--config", str(path), *more, "--port"]
    return lambda port: Launch([*base, str(port)], "/readyz")


def passthrough(peers: Path, upstream: str) -> Callable[[int], Launch]:
    """The least that a FastAPI application can do: read, send on, give back."""
    script = str(Path(__file__).with_name("passthrough.py"))
    return lambda port: Launch([str(peers / "fastapi/bin/python"), script, f"{upstream}/v1/chat/completions", str(port)])


def litellm(peers: Path, upstream: str, folder: Path) -> Callable[[int], Launch]:
    """LiteLLM's proxy with one model and nothing else switched on."""
    path = folder / "litellm.json"
    model = {"model_name": "bench", "litellm_params": {"model": "openai/bench", "api_base": f"{upstream}/v1", "api_key": "none"}}
    path.write_text(json.dumps({"model_list": [model], "litellm_settings": {"telemetry": False}}))
    base = [str(peers / "litellm/bin/litellm"), "--config", str(path), "--host", "127.0.0.1", "--num_workers", "1", "--port"]
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"  # no key is checked by the others either
    return lambda port: Launch([*base, str(port)], "/health/liveliness", environment)


def sglang(peers: Path, upstream: str) -> Callable[[int], Launch]:
    """sglang-router before one worker."""
    base = [str(peers / "sglang/bin/python"), "-m", "sglang_router.launch_router", "--worker-urls", upstream, "--host", "127.0.0.1"]
    return lambda port: Launch([*base, "--policy", "round_robin", "--log-level", "error", "--port", str(port)])


def cascadeflow(peers: Path, upstream: str, folder: Path) -> Callable[[int], Launch]:
    """cascadeflow's gateway with two models, its own checks as they come."""
    path = folder / "cascadeflow.json"
    models = [
        {"name": name, "provider": "openai", "cost": cost, "base_url": f"{upstream}/v1", "api_key": "none"}
        for name, cost in (("gpt-4o-mini", 0.0001), ("gpt-4o", 0.001))
    ]
    path.write_text(json.dumps({"models": models}))
    base = [str(peers / "cascadeflow/bin/cascadeflow-gateway"), "--mode", "agent", "--config", str(path), "--host", "127.0.0.1", "--port"]
    environment = {**os.environ, "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{upstream}/v1"}
    return lambda port: Launch([*base, str(port)], "/health", environment)
