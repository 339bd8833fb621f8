"""How the gateway's own cost grows: tools, prompts, properties of a schema, streams at once, rows in the store.

`python -m bench.growth --out docs/growth` writes one SVG a curve and prints the numbers: CPU seconds of this process, in which the real
application runs over engines that answer at once; for the store, seconds of a write and of a look by the watcher. Medians of several tries.
"""

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from bench.machine import named
from router.evaluation.plots import Line, Plot
from server.build import gateway
from server.config import checked
from server.engines.scripted import Reply, ScriptedEngine
from server.observers.outcomes.address import engine
from server.observers.outcomes.database import Database
from server.observers.outcomes.ports import Row

TRIES = 7
Curve = list[tuple[int, float]]
USER = {"role": "user", "content": "Do it."}


def tools(count: int) -> dict[str, Any]:
    """A request with so many tools of three arguments."""
    properties = {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["c", "f"]}}
    parameters = {"type": "object", "properties": properties, "required": ["city"], "additionalProperties": False}
    made = [{"name": f"tool_{number}", "description": f"Does thing {number}.", "parameters": parameters} for number in range(count)]
    return {"messages": [USER], "tools": [{"type": "function", "function": one} for one in made], "tool_choice": "required"}


def prompt(size: int) -> dict[str, Any]:
    """A request of so many bytes of text."""
    return {"messages": [{"role": "user", "content": ("the quick brown fox " * (size // 20 + 1))[:size]}]}


def schema(properties: int) -> dict[str, Any]:
    """A request for an object of so many properties."""
    fields = {f"field_{number}": {"type": "integer", "minimum": 0} for number in range(properties)}
    form = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": {"name": "form", "schema": form}}}


def reply(call: Any) -> Reply:
    """The answer that the contract wants."""
    if call.contract.kind == "tools":
        return Reply('{"tool_calls":[{"name":"tool_0","arguments":{"city":"Porto","days":3,"unit":"c"}}]}')
    if call.contract.kind == "json_schema":
        return Reply(json.dumps(dict.fromkeys(call.contract.schema["properties"], 7)))
    return Reply("word " * 20, chunks=("word ",) * 20)


class Gateway:
    """The application over an engine that answers at once, and a client of it."""

    def __init__(self, folder: Path) -> None:
        route = {
            "tiers": [{"engine": name, "price": {"prompt": 1, "completion": 2}} for name in ("small", "large")],
            "verifiers": [{"kind": "contract"}, {"kind": "function"}],
            "when_all_abstain": "accept",
        }
        document = {
            "listen": {"max_concurrency": 4096},
            "access": {"open": True},
            "limits": {"tools": 1000},
            "engines": {name: {"kind": "scripted", "replies": ["-"]} for name in ("small", "large")},
            "routes": {"auto": route},
            "outcomes": {"url": f"sqlite:///{folder}/gateway.db"},
        }
        engines = {name: ScriptedEngine(name, reply) for name in ("small", "large")}
        self.app = gateway(checked(document), folder, engines=engines, write=lambda _line: None).app
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://localhost", timeout=120)

    async def ask(self, body: dict[str, Any]) -> None:
        """One request that must be answered."""
        answer = await self.client.post("/v1/chat/completions", json={"model": "auto", **body})
        if answer.status_code != 200:
            raise RuntimeError(answer.text[:300])

    async def cost(self, body: dict[str, Any]) -> float:
        """CPU seconds of a request, the client's own included."""
        await self.ask(body)
        found = []
        for _ in range(TRIES):
            started = time.process_time()
            await self.ask(body)
            found.append(time.process_time() - started)
        return statistics.median(found)

    async def streams(self, count: int) -> float:
        """CPU seconds a stream with so many of them at once, each of twenty chunks from the last tier."""
        body = {"model": "auto/large", "messages": [USER], "stream": True}
        started = time.process_time()
        await asyncio.gather(*(self.ask(body) for _ in range(count)))
        return (time.process_time() - started) / count


async def measured(folder: Path) -> dict[str, Curve]:
    """The curves of requests."""
    made = Gateway(folder)
    async with made.app.router.lifespan_context(made.app), made.client:
        await made.cost(prompt(100))
        found = {
            "tools": [(count, await made.cost(tools(count))) for count in (1, 5, 20, 50, 100, 200, 500)],
            "prompt bytes": [(size, await made.cost(prompt(size))) for size in (1_000, 10_000, 100_000, 300_000, 1_000_000)],
            "schema properties": [(count, await made.cost(schema(count))) for count in (1, 10, 50, 100, 300, 1_000)],
        }
        found["streams at once"] = [(count, await made.streams(count)) for count in (1, 10, 50, 100, 300, 1_000)]
    return found


def rows(first: int, count: int) -> list[Row]:
    """Outcomes as the recorder writes them, with a short body."""
    body = json.dumps({"attempts": [], "permitted": ["small", "large"], "answer": 0})
    return [
        Row(f"r-{number}", float(number), "auto", "none", "ok", "small", 0.5 + (number % 50) / 100, 0.001, 0.1, body)
        for number in range(first, first + count)
    ]


def stored(folder: Path, sizes: Sequence[int]) -> dict[str, Curve]:
    """Seconds of a batch of 256 more rows, and of the watcher's look at the latest and the first confidences."""
    writing: Curve = []
    looking: Curve = []
    filled = 0
    with closing(Database(engine(f"sqlite:///{folder}/rows.db", folder))) as store:

        def add(count: int) -> float:
            nonlocal filled
            batch, started = rows(filled, count), time.perf_counter()
            store.write(batch)
            filled += count
            return time.perf_counter() - started

        for size in sizes:
            while filled < size:
                add(min(10_000, size - filled))
            looking.append((size, statistics.median(look(store) for _ in range(TRIES))))
            writing.append((size, statistics.median(add(256) for _ in range(TRIES))))
    return {"rows in the store, a batch of 256": writing, "rows in the store, a look by the watcher": looking}


def look(store: Database) -> float:
    """Seconds of what the watcher asks for a route."""
    started = time.perf_counter()
    store.floors()
    store.labels("auto", 0.0, 4000)
    store.confidences("auto", 0.0, 400, latest=True)
    store.confidences("auto", 0.0, 400, latest=False)
    return time.perf_counter() - started


def plot(name: str, curve: Curve) -> str:
    """On logarithmic axes: a slope of one is a cost that grows as its cause does."""
    points = [(math.log10(count), math.log10(seconds * 1e3)) for count, seconds in curve]
    drawing = Plot(name, f"log10 of {name.partition(',')[0]}", "log10 of milliseconds", [Line(name, points, dots=True)]).svg()
    return drawing.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def main() -> int:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="a folder for the drawings")
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="smallfirst-growth-") as scratch:
        found = asyncio.run(measured(Path(scratch)))
        found |= stored(Path(scratch), [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= options.rows])
    for name, curve in found.items():
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / f"{name.replace(', ', '-').replace(' ', '-')}.svg").write_text(plot(name, curve) + "\n")
        sys.stdout.write(f"{name}: " + ", ".join(f"{count:,} {seconds * 1e3:.2f} ms" for count, seconds in curve) + "\n")
    sys.stdout.write(f"{named()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
