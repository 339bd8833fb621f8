"""What a key costs on the hot path: finding it, holding it to its limits, writing down what its request took.

    .venv/bin/python bench/keys.py [--keys 1000] [--json]

In this process, without HTTP; medians of several runs, in microseconds.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

from router.types import Attempt, Decision, GenerationRequest, Outcome, Usage
from server.access.keys import Allowance, Key, Keyring, made
from server.access.ledger import Ledger
from server.api.door import bearer

RUNS, CALLS = 7, 20_000


def microseconds(work: Callable[[], object]) -> float:
    """The median over the runs, of one call."""
    found = []
    for _ in range(RUNS):
        started = time.perf_counter()
        for _ in range(CALLS):
            work()
        found.append((time.perf_counter() - started) / CALLS * 1e6)
    return statistics.median(found)


def measured(count: int) -> dict[str, float]:
    """Each step by name, among so many keys."""
    held = [made() for _ in range(count)]
    budgets = {"day": Allowance(usd=1e9, tokens=10**12), "month": Allowance(usd=1e9)}
    ring = Keyring.of((Key(f"key-{index}", rate=10**9, budgets=budgets), [secret]) for index, (_, secret) in enumerate(held))
    text, _ = held[count // 2]
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"authorization", f"Bearer {text}".encode())]
    key, book = ring.find(text, 0.0), Ledger(time.time)
    request = GenerationRequest("r", "auto", (), owner=key.name)
    attempt = Attempt("small", "try", None, usage=Usage(100, 20), cost=0.0001)
    outcome = Outcome("r", "auto", Decision(("small",)), (attempt,), 0)

    def admitted() -> None:
        with book.admit(key):
            pass

    return {
        "find the key": microseconds(lambda: ring.find(bearer(headers), 0.0)),
        "hold it to its rate and budgets": microseconds(admitted),
        "write down what it took": microseconds(lambda: book.observe(request, outcome)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what a key costs on the hot path")
    parser.add_argument("--keys", type=int, default=1000, help="how many there are; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="one object, microseconds by step")
    options = parser.parse_args()
    found = measured(options.keys)
    if options.json:
        print(json.dumps({name: round(value, 2) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{value:8.2f} µs  {name}")


if __name__ == "__main__":
    main()
