"""The cascade against small-only and large-only, over the real HTTP server with the bundled pair.

    .venv/bin/python bench/cascade.py --json [--n 1000] [--handwritten] [--url URL]

Sends generated held-out requests (60 % easy, 40 % hard), or the hand-written ones, and prints one JSON object.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from measuring import Row, canonical, executable, measures, valid

from models.generate import examples, same_answer
from server.assistant import registry
from server.config import Settings, load
from server.demo import serving

ROOT = Path(__file__).parents[1]
SETTINGS = ROOT / "deploy/config/demo.yaml"
MODELS = {"small": "auto/small", "large": "auto/large", "cascade": "auto"}


@dataclass(frozen=True, slots=True)
class Case:
    """A request with its right answer."""

    request: str
    functions: tuple[str, ...]
    answer: str
    hard: bool
    system: str | None = None


def generated(n: int, seed: int) -> list[Case]:
    """The first n of the test split: templates, names and values that training never saw."""
    found = []
    for example in islice(examples("test", seed), n):
        head = example.messages[0].content.rsplit("\n", 1)
        system = head[0] if len(head) == 2 else None
        found.append(Case(example.messages[-1].content, example.functions, example.answer, example.hard, system))
    return found


def handwritten() -> list[Case]:
    """Requests as people type them, never generated and never trained on."""
    rows = map(json.loads, (ROOT / "models/handwritten.jsonl").read_text().splitlines())
    return [Case(row["request"], tuple(row["functions"]), json.dumps(row["answer"]), row["difficulty"] == "hard") for row in rows]


async def ask(client: httpx.AsyncClient, model: str, case: Case) -> Row:
    """One request over HTTP, judged against its right answer."""
    tools = [_tool(name) for name in case.functions]
    messages = [{"role": "system", "content": case.system}] if case.system else []
    body = {"model": model, "messages": [*messages, {"role": "user", "content": case.request}], "tools": tools}
    started = time.perf_counter()
    response = await client.post("/v1/chat/completions", json=body)
    seconds = time.perf_counter() - started
    if response.status_code != 200:
        return Row(right=False, valid=False, executable=False, tier="", cost=0.0, seconds=seconds)
    message = response.json()["choices"][0]["message"]
    return Row(
        right=same_answer(canonical(message), case.answer),
        valid=valid(message, case.functions),
        executable=executable(message, case.functions),
        tier=response.headers["x-smallfirst-tier"],
        cost=float(response.headers["x-smallfirst-cost-usd"]),
        seconds=seconds,
    )


async def run(url: str, cases: Sequence[Case], concurrency: int) -> dict[str, list[Row]]:
    """Every case under every model, `concurrency` at a time; progress on stderr."""
    found: dict[str, list[Row]] = {}
    limit = asyncio.Semaphore(concurrency)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for name, model in MODELS.items():

            async def one(case: Case, model: str = model) -> Row:
                async with limit:
                    return await ask(client, model, case)

            found[name] = await asyncio.gather(*map(one, cases))
            print(f"{name}: {sum(row.right for row in found[name])} of {len(cases)} right", file=sys.stderr)
    return found


def summary(found: dict[str, list[Row]], cases: Sequence[Case], settings: Settings) -> dict[str, object]:
    """The object that is printed."""
    route = settings.routes["auto"]
    mix = Counter("hard" if case.hard else "easy" for case in cases)
    return {
        **{name: measures(rows).json() for name, rows in found.items()},
        "target": route.target.model_dump(),
        "prices": {tier.name: tier.price.model_dump() for tier in route.tiers},
        "mix": {name: count / len(cases) for name, count in mix.items()},
        "n": len(cases),
    }


def table(found: dict[str, list[Row]], cases: Sequence[Case]) -> str:
    """For people: the same, with accuracy by difficulty."""
    heads = ("accuracy", "easy", "hard", "valid", "exec", "kept", "error", "$/success", "p50 ms", "p95 ms")
    lines = [" " * 9 + "".join(f"{head:>10}" for head in heads)]
    for name, rows in found.items():
        m = measures(rows)
        by = {hard: [row.right for row, case in zip(rows, cases, strict=True) if case.hard == hard] for hard in (False, True)}
        easy, hard = (sum(rights) / max(1, len(rights)) for rights in by.values())
        rates = (m.accuracy, easy, hard, m.schema_validity, m.executable_rate, m.share_small, m.kept_error)
        shown = [f"{'-' if rate is None else format(rate, '.3f'):>10}" for rate in rates]
        lines.append(f"{name:9}{''.join(shown)}{m.cost_per_success or 0:10.2e}{1e3 * m.p50:10.1f}{1e3 * m.p95:10.1f}")
    return "\n".join(lines)


def _tool(name: str) -> dict[str, Any]:
    tool = next(tool for tool in registry.tools() if tool.name == name)
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters), "strict": tool.strict}
    return {"type": "function", "function": function}


def main() -> None:
    """Start the shipped server unless an address is given, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--n", type=int, default=1000, help="generated requests")
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--handwritten", action="store_true", help="the hand-written requests instead")
    parser.add_argument("--concurrency", type=int, default=1, help="requests in flight (more than one lengthens p50 and p95)")
    parser.add_argument("--url", help="a running server instead of a fresh one")
    options = parser.parse_args()
    cases = handwritten() if options.handwritten else generated(options.n, options.seed)
    if options.url:
        found = asyncio.run(run(options.url, cases, options.concurrency))
    else:
        with serving(SETTINGS) as url:
            found = asyncio.run(run(url, cases, options.concurrency))
    print(json.dumps(summary(found, cases, load(SETTINGS)), indent=2) if options.json else table(found, cases))


if __name__ == "__main__":
    main()
