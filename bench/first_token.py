"""Time to the first token of each commit mode, for answers kept on the small tier and for escalated ones, over a real HTTP server.

    .venv/bin/python bench/first_token.py [--n 20] [--json]

Two engines of a known pace stand in for the models, so that what is seen is the gateway's: the small one takes 0.05 s to its first token
and 0.01 s to each further one, the large one 0.20 s and 0.03 s; both answer with 60 tokens. With --bundled the bundled pair answers a
greeting instead, which is shorter than a gate. Each row is the median of n requests, sent one after another; `over` is what the first
token took beyond the engine time before the commit point.
"""

import argparse
import asyncio
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from router.ports import Engine
from router.types import EngineCall, Token
from server.build import gateway
from server.config import checked
from server.engines.scripted import Reply, ScriptedEngine

ROOT = Path(__file__).parents[1]
NAMES = ("small", "large")
TOKENS, GATE, HOPELESS = 60, 24, 9
SMALL, LARGE = (0.05, 0.01), (0.20, 0.03)
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}}
RIGHT = '{"tool_calls":[{"name":"look_up","arguments":{"text":"' + "w " * 60 + '"}}]}'
WRONG = '{"tool_calls":[{"name":"invented","arguments":{"text":"' + "w " * 60 + '"}}]}'


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to the first token: the route's options, what is asked, and the engine time before it in seconds by the known pace."""

    name: str
    path: str
    route: Mapping[str, object]
    model: str = "auto"
    tools: bool = False
    wrong: bool = False
    expected: float = 0.0


def whole(pace: tuple[float, float], tokens: int = TOKENS) -> float:
    """Seconds to that many tokens."""
    return pace[0] + (tokens - 1) * pace[1]


KEPT, DEFERRED = {"when_all_abstain": "accept"}, {"when_all_abstain": "defer"}
GATED = {"commit": "gated", "gate_tokens": GATE}
MODES = (
    Mode("prose, live (pinned to the last tier)", "direct", KEPT, "auto/large", expected=LARGE[0]),
    Mode("prose, verified", "kept small", KEPT, expected=whole(SMALL)),
    Mode("prose, verified", "escalated", DEFERRED, expected=whole(SMALL) + LARGE[0]),
    Mode("prose, gated", "kept small", {**GATED, "gate_limit": -100.0}, expected=whole(SMALL, GATE)),
    Mode("prose, gated", "escalated", {**GATED, "gate_limit": 0.0}, expected=whole(SMALL, GATE) + LARGE[0]),
    Mode("tools, verified", "kept small", KEPT, tools=True, expected=whole(SMALL)),
    Mode("tools, verified", "escalated", KEPT, tools=True, wrong=True, expected=whole(SMALL) + whole(LARGE)),
    Mode(
        "tools, verified, early abort", "escalated", {**KEPT, "early_abort": True}, tools=True, wrong=True,
        expected=whole(SMALL, HOPELESS) + whole(LARGE),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """Medians in seconds; `first` to the first text or argument that the client sees, `total` to the end of the stream."""

    mode: str
    path: str
    first: float
    total: float
    over: float | None


def paced(name: str, pace: tuple[float, float], *, wrong: bool) -> ScriptedEngine:
    """An engine whose tokens come one by one."""

    def reply(call: EngineCall) -> Reply:
        text = (WRONG if wrong else RIGHT) if call.contract.kind == "tools" else "w " * TOKENS
        size = -(-len(text) // TOKENS)
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        evidence = tuple(Token(piece, -0.1, raw_logprob=-0.1, free=True) for piece in pieces[:1])
        wait = pace[1] if len(pieces) == TOKENS else pace[1] * (TOKENS - 1) / (len(pieces) - 1)
        return Reply(chunks=tuple(pieces), tokens=evidence, delay=pace[0], pause=wait)

    return ScriptedEngine(name, reply)


def document(route: Mapping[str, object], *, bundled: bool) -> dict[str, Any]:
    """The configuration of one mode."""
    tiers = [{"name": name, "engine": name, "price": {"prompt": 1, "completion": 1}} for name in NAMES]
    kind = (lambda name: {"kind": "embedded", "path": name}) if bundled else (lambda name: {"kind": "scripted", "replies": ["-"]})
    kinds: Any = {name: kind(name) for name in NAMES}
    verifiers = [{"kind": "contract"}, {"kind": "function"}]
    return {"engines": kinds, "routes": {"auto": {"tiers": tiers, "verifiers": verifiers, "repair": 0, **route}}}


@contextmanager
def serving(mode: Mode, *, bundled: bool) -> Iterator[str]:
    """A gateway in this mode; its address."""
    engines: dict[str, Engine] = (
        {} if bundled else {"small": paced("small", SMALL, wrong=mode.wrong), "large": paced("large", LARGE, wrong=False)}
    )
    made = gateway(checked(document(mode.route, bundled=bundled)), ROOT, engines=engines, write=lambda line: None)
    server = uvicorn.Server(uvicorn.Config(made.app, port=0, log_level="error"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def ask(client: httpx.Client, mode: Mode) -> tuple[float, float]:
    """Seconds to the first piece of the answer, and to its end."""
    body: dict[str, object] = {"model": mode.model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    started, first = time.perf_counter(), None
    with client.stream("POST", "/v1/chat/completions", json=body | ({"tools": [TOOL]} if mode.tools else {})) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            first = time.perf_counter() - started if first is None and speaks(line) else first
    if first is None:
        raise SystemExit(f"{mode.name}: the stream said nothing")
    return first, time.perf_counter() - started


def speaks(line: str) -> bool:
    """Whether this line of the stream carries text or arguments."""
    if not line.startswith("data: {"):
        return False
    delta = json.loads(line.removeprefix("data: "))["choices"][0]["delta"]
    return bool(delta.get("content")) or any(call["function"].get("arguments") for call in delta.get("tool_calls", ()))


def measure(mode: Mode, n: int, *, bundled: bool) -> Row:
    """The medians of one mode, after one request that warms up."""
    with serving(mode, bundled=bundled) as url, httpx.Client(base_url=url, timeout=60) as client:
        ask(client, mode)
        firsts, totals = zip(*(ask(client, mode) for _ in range(n)), strict=True)
    first = statistics.median(firsts)
    return Row(mode.name, mode.path, first, statistics.median(totals), None if bundled else first - mode.expected)


def table(rows: Sequence[Row]) -> str:
    """For people."""
    head = f"{'mode':38} {'path':11} {'first token':>11} {'whole':>8} {'over':>8}"
    lines = [f"{r.mode:38} {r.path:11} {r.first:9.3f} s {r.total:6.2f} s {'' if r.over is None else f'{r.over:6.3f} s':>8}" for r in rows]
    return "\n".join([head, *lines])


def main() -> None:
    """Measure every mode and print it."""
    parser = argparse.ArgumentParser(description="time to the first token of each commit mode")
    parser.add_argument("--n", type=int, default=20, help="requests of each mode")
    parser.add_argument("--bundled", action="store_true", help="the bundled pair instead of engines of a known pace")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    modes = [mode for mode in MODES if not (given.bundled and (mode.tools or "gated" in mode.name))]
    rows = []
    for mode in modes:
        print(f"{mode.name}, {mode.path}", file=sys.stderr)
        rows.append(measure(mode, given.n, bundled=given.bundled))
    print(json.dumps([asdict(row) for row in rows], indent=1) if given.json else table(rows))


if __name__ == "__main__":
    main()
