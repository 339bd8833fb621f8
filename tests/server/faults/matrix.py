"""Every fault of an upstream in every mode against one real gateway; `python -m tests.server.faults.matrix` writes docs/faults.md."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import httpx

from server.build import gateway
from server.config import checked
from tests.server.faults.books import Books, read, samples
from tests.server.faults.chaos import TEXT, Chaos, playing
from tests.server.faults.plays import FAULTS, HANGS, TWICE
from tests.serving import served

Place = Literal["first", "only"]
Mode = Literal["json", "stream"]
PLACES: tuple[Place, ...] = ("first", "only")
MODES: tuple[Mode, ...] = ("json", "stream")
AT_ONCE = 64
PATIENCE, HANGS_FOR = 30.0, 1.5
"""Seconds that an engine waits; the short ones where the fault is silence, so that a slow machine changes nothing in the other cells."""
PRICES = {"small": {"prompt": 1, "completion": 2}, "large": {"prompt": 10, "completion": 20}}
PAGE = Path("docs/faults.md")


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault of the first of two tiers, or of the only one, towards a client that wants JSON or a stream."""

    fault: str
    place: Place
    mode: Mode

    @property
    def route(self) -> str:
        return f"{self.fault}.{self.place}.{self.mode}"


@dataclass(frozen=True, slots=True)
class Found:
    """What the client got for its last request, and the accounts of all its requests."""

    said: str
    requests: int
    told_cost: float
    chaos: Chaos
    books: Books


CELLS = tuple(Cell(*found) for found in product(FAULTS, PLACES, MODES))


async def run(cells: tuple[Cell, ...] = CELLS) -> dict[Cell, Found]:
    """All cells, several at a time, through one gateway with a store, which is closed before the books are read."""
    with tempfile.TemporaryDirectory() as folder:
        async with upstreams(cells) as (good, bad):
            made = gateway(checked(document(cells, good, bad)), Path(folder), write=lambda _line: None)
            with served(made.app) as url:
                async with httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=AT_ONCE)) as client:
                    gate = asyncio.Semaphore(AT_ONCE)
                    said = dict(zip(cells, await asyncio.gather(*(ask(client, gate, cell) for cell in cells)), strict=True))
            scraped = samples(made.metrics.exposition().decode())
        books = {cell: read(scraped, Path(folder) / "outcomes.db", cell.route) for cell in cells}
        return {cell: Found(said[cell][0], said[cell][1], said[cell][2], bad[cell], books[cell]) for cell in cells}


@asynccontextmanager
async def upstreams(cells: tuple[Cell, ...]) -> AsyncIterator[tuple[Chaos, dict[Cell, Chaos]]]:
    """A good one for all second tiers, a bad one for each cell."""
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(playing(FAULTS["good"]))
        yield good, {cell: await stack.enter_async_context(playing(FAULTS[cell.fault])) for cell in cells}


def document(cells: tuple[Cell, ...], good: Chaos, bad: dict[Cell, Chaos]) -> dict[str, Any]:
    """The configuration; under `early_abort` the first tier too is read as a stream."""
    engines = {"good": engine(good.url, PATIENCE)}
    routes = {}
    for cell in cells:
        engines[cell.route] = engine(bad[cell].url, HANGS_FOR if cell.fault in HANGS else PATIENCE)
        tiers = [{"name": "small", "engine": cell.route, "price": PRICES["small"]}]
        tiers += [{"name": "large", "engine": "good", "price": PRICES["large"]}] if cell.place == "first" else []
        early = {"tokens": 100_000} if cell.mode == "stream" else False
        routes[cell.route] = {"tiers": tiers, "when_all_abstain": "accept", "repair": 0, "early_abort": early}
    return {
        "engines": engines,
        "routes": routes,
        "default_route": cells[0].route,
        "outcomes": {"url": "sqlite:///outcomes.db"},
    }


def engine(url: str, seconds: float) -> dict[str, Any]:
    """At most one more try, an answer of at most 100 kB; half of the `seconds` may be silence."""
    return {
        "kind": "openai", "flavour": "openai", "base_url": url, "model": "m", "retries": 1,
        "timeouts": {"connect": PATIENCE, "read": seconds / 2, "total": seconds}, "max_response_bytes": 100_000,
    }  # fmt: skip


async def ask(client: httpx.AsyncClient, gate: asyncio.Semaphore, cell: Cell) -> tuple[str, int, float]:
    """What came of the last request, how many there were, and the dollars that the answers' headers or last chunks told."""
    said, cost, turns = "", 0.0, 2 if cell.fault in TWICE else 1
    async with gate:
        for _ in range(turns):
            body = {"model": cell.route, "stream": cell.mode == "stream", "messages": [{"role": "user", "content": "hi"}]}
            response = await client.post("/v1/chat/completions", json=body)
            said, told = reading(response, cell.mode)
            cost += told
    return said, turns, cost


def reading(response: httpx.Response, mode: Mode) -> tuple[str, float]:
    """The answer in few words, and its cost in dollars."""
    cost = float(response.headers.get("x-smallfirst-cost-usd", 0))
    if response.status_code != 200:
        return f"{response.status_code} {response.json()['error']['code']}", cost
    deferrals = response.headers["x-smallfirst-deferrals"]
    by = f"answered by {response.headers['x-smallfirst-tier']}" + (f" ({deferrals})" if deferrals else "")
    if mode == "json":
        return (by if response.json()["choices"][0]["message"]["content"].strip() == TEXT else "WRONG TEXT"), cost
    events = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    if events[-1] == "[DONE]":
        chunks = [json.loads(event) for event in events[:-1]]
        text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
        return (by if text.strip() == TEXT else "WRONG TEXT"), chunks[-1]["smallfirst"]["cost_usd"]
    return f"text, then error event {json.loads(events[-1])['error']['code']}", cost


def table(found: dict[Cell, Found]) -> str:
    """The page."""
    rows = []
    for fault, play in FAULTS.items():
        cells = [found[Cell(fault, place, mode)].said for place in PLACES for mode in MODES]
        rows.append(f"| {fault} | {' '.join((play.__doc__ or '').split())} | {' | '.join(cells)} |")
    return HEAD + "\n".join(rows) + "\n"


HEAD = """# What upstreams do wrong, and what the client sees

Made by `python -m tests.server.faults.matrix` from a run of every cell against a real gateway over real sockets; the test suite holds this
page to its own run. `first` is a fault of the smaller of two tiers, `only` of a route's only tier. Each engine has one retry. In every cell
the books balance: each request is one answer or one error in the metrics and one row in the store, and attempts, tokens and dollars agree
between metrics, store, response and the upstream's own count.

| fault | what the upstream does | first, JSON | first, stream | only, JSON | only, stream |
| --- | --- | --- | --- | --- | --- |
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(table(asyncio.run(run())))
    sys.stdout.write(f"wrote {PAGE}\n")


if __name__ == "__main__":
    main()
