"""Ten minutes at half of the capacity: mixed traffic, random faults, clients that leave; nothing may grow, and the books balance.

`python -m bench.soak --seconds 600`. The served application is the real one; one more path tells how many tasks its event loop has.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.answers import FORM, asked
from bench.machine import descriptors, free_ports, memory, named, stop
from bench.upstream import wait_for
from tests.server.faults.books import samples as samples_of
from tests.server.faults.chaos import Wire, playing
from tests.server.faults.plays import FAULTS

PATH = "/v1/chat/completions"
FAULTY = 0.08
"""The share of the upstreams' answers that are a fault, drawn from all there are."""
HELD = ("megabytes", "descriptors", "tasks")
REST = 65.0
"""Seconds without a request in which all connections that are kept for the next one are closed, the clients' and the engines'."""
CHAT = asked("Hello")
MIX: tuple[tuple[str, dict[str, Any]], ...] = (
    ("chat", CHAT),
    ("chat", CHAT),
    ("stream", CHAT | {"stream": True}),
    ("stream of the last tier", CHAT | {"stream": True, "model": "bench/large"}),
    ("json", asked("Book", response_format=FORM)),
    ("leaves", CHAT | {"stream": True}),
    ("wrong", {"model": "bench", "messages": []}),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server holds after so many seconds: MB without files, open files and sockets, tasks."""

    seconds: float
    megabytes: float
    descriptors: int
    tasks: int


@dataclass(slots=True)
class Tally:
    """What the clients sent and got."""

    sent: int = 0
    got: Counter[str] = field(default_factory=Counter)


async def mixed(wire: Wire) -> None:
    """Mostly a good answer."""
    name = random.choice([fault for fault in FAULTS if fault != "good"]) if random.random() < FAULTY else "good"
    await FAULTS[name](wire)


def serve(config: str, port: int) -> None:
    """The application and its connections as `serve` has them, and one more path."""
    import uvicorn

    from server.config import load
    from server.listening import Listening
    from server.serving import from_file, options

    app, given = from_file(Path(config)), options(load(Path(config)), Path(config).parent)

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/tasks":
            await app(scope, receive, send)
            return
        body = str(len(asyncio.all_tasks())).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})

    Listening(uvicorn.Config(counted, **{**given, "port": port, "log_level": "error"})).run()


def document(small: str, large: str, folder: Path) -> dict[str, Any]:
    """Two tiers with short timeouts, a store, a drain."""

    def engine(url: str) -> dict[str, Any]:
        waits = {"connect": 2, "read": 1, "total": 3}
        return {"kind": "openai", "flavour": "openai", "base_url": url, "model": "m", "timeouts": waits, "max_response_bytes": 1_000_000}

    tiers = [{"name": name, "engine": name, "price": {"prompt": 1, "completion": 2}} for name in ("small", "large")]
    route = {"tiers": tiers, "when_all_abstain": "accept", "repair": 0}
    return {
        "listen": {"max_concurrency": 512},
        "engines": {"small": engine(small), "large": engine(large)},
        "routes": {"bench": route},
        "default_route": "bench",
        "outcomes": {"url": f"sqlite:///{folder}/outcomes.db"},
    }


async def one(client: httpx.AsyncClient, tally: Tally) -> None:
    """A request of the mix, and what came of it."""
    kind, body = random.choice(MIX)
    tally.sent += 1
    try:
        async with client.stream("POST", PATH, json=body) as response:
            if kind == "leaves":
                async for _ in response.aiter_raw():
                    break
                tally.got["left"] += 1
                return
            text = await response.aread()
    except httpx.TransportError as error:
        tally.got[type(error).__name__] += 1
        return
    cut = response.status_code == 200 and body.get("stream") and not text.rstrip().endswith(b"[DONE]")
    tally.got["error event" if cut else str(response.status_code)] += 1


async def capacity(client: httpx.AsyncClient, tally: Tally, seconds: float = 4.0) -> float:
    """Requests a second of sixteen clients that wait for their answers."""
    before, end = tally.sent, time.monotonic() + seconds

    async def work() -> None:
        while time.monotonic() < end:
            await one(client, tally)

    await asyncio.gather(*(work() for _ in range(16)))
    return (tally.sent - before) / seconds


async def pour(client: httpx.AsyncClient, tally: Tally, rate: float, seconds: float, watch: Callable[[float], Awaitable[None]]) -> None:
    """An open loop at this rate; `watch` is asked about twenty-five times."""
    started, due = time.monotonic(), 0
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            group.create_task(one(client, tally))
            if time.monotonic() - started >= due * seconds / 25:
                due += 1
                group.create_task(watch(time.monotonic() - started))


async def soak(seconds: float) -> dict[str, Any]:
    """The whole run; the report."""
    tally, samples = Tally(), []
    with tempfile.TemporaryDirectory(prefix="smallfirst-soak-") as scratch:
        folder, (port,) = Path(scratch), free_ports(1)
        async with AsyncExitStack() as stack:
            small, large = [await stack.enter_async_context(playing(mixed)) for _ in range(2)]
            config = folder / "soak.json"
            await asyncio.to_thread(config.write_text, json.dumps(document(small.url, large.url, folder)))
            command = [sys.executable, "-m", "bench.soak", "--serve", str(config), str(port)]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603, ASYNC220  # the server under test
            url = f"http://127.0.0.1:{port}"
            try:
                await asyncio.to_thread(wait_for, f"{url}/healthz", process)
                limits = httpx.Limits(max_connections=512, max_keepalive_connections=64)
                async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:

                    async def watch(at: float) -> None:
                        tasks = int((await client.get("/tasks")).text)
                        samples.append(Sample(at, memory(process.pid, "Pss_Anon"), descriptors(process.pid), tasks))

                    rate = await capacity(client, tally) / 2
                    await asyncio.sleep(REST)
                    await watch(0)
                    await pour(client, tally, rate, seconds, watch)
                    await asyncio.sleep(REST)
                    await watch(seconds + REST)
                    scraped = (await client.get("/metrics")).text
            finally:
                await asyncio.to_thread(stop, process)
        return {"seconds": seconds} | report(tally, samples, rate, scraped, folder / "outcomes.db")


def report(tally: Tally, samples: list[Sample], rate: float, scraped: str, store: Path) -> dict[str, Any]:
    """What could grow, in the first and the last quarter, and at rest before the first and after the last; and the books.

    How many connections and tasks there are under load follows how fast the machine is just then, so that those must be flat at rest.
    """
    before, *busy, after = samples
    quarter = max(2, len(busy) // 4)
    held = {name: [statistics.median(getattr(one, name) for one in part) for part in (busy[:quarter], busy[-quarter:])] for name in HELD}
    rest = {name: [getattr(before, name), getattr(after, name)] for name in HELD}
    accounts = books(scraped, store)
    lost = tally.sent - accounts["counted"] - tally.got["ConnectError"]
    flat = held["megabytes"][1] < 1.05 * held["megabytes"][0] + 2
    flat = flat and all(rest[name][1] <= rest[name][0] + 2 for name in HELD[1:])
    balanced = lost == 0 and accounts["with a cascade"] == accounts["rows"] + accounts["outcomes lost"] and not accounts["in flight"]
    money = abs(accounts["dollars in metrics"] - accounts["dollars in the store"]) < 1e-9 * max(1, tally.sent)
    told = {"sent": tally.sent, "clients got": dict(tally.got), "books": accounts, "early and late": held, "at rest before and after": rest}
    return {"machine": named(), "rate": rate, **told, "flat": flat, "balanced": balanced and money}


def books(scraped: str, store: Path) -> dict[str, Any]:
    """The accounts of metrics and store."""
    codes: Counter[str] = Counter()
    ran = dollars = lost = flying = 0.0
    for sample in samples_of(scraped):
        if sample.name == "smallfirst_requests_total":
            codes[sample.labels["code"]] += int(sample.value)
        elif sample.name == "smallfirst_request_seconds_count":
            ran += sample.value
        elif sample.name == "smallfirst_cost_usd_total":
            dollars += sample.value
        elif sample.name == "smallfirst_outcomes_lost_total":
            lost += sample.value
        elif sample.name == "smallfirst_inflight":
            flying += sample.value
    with closing(sqlite3.connect(store)) as database:
        rows, cost = database.execute("SELECT count(*), coalesce(sum(cost), 0) FROM outcomes").fetchone()
    return {
        "codes": dict(codes),
        "counted": sum(codes.values()),
        "with a cascade": int(ran),
        "rows": rows,
        "outcomes lost": int(lost),
        "dollars in metrics": dollars,
        "dollars in the store": cost,
        "in flight": int(flying),
    }


def main() -> int:
    """Run; 0 where nothing grew and the books balance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--serve", nargs=2, metavar=("CONFIG", "PORT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], int(options.serve[1]))
        return 0
    found = asyncio.run(soak(options.seconds))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0 if found["flat"] and found["balanced"] else 1


if __name__ == "__main__":
    sys.exit(main())
