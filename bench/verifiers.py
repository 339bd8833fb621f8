"""What the verifiers that ask nobody cost: microseconds of CPU for one verdict, in the median and at the 95th percentile.

    .venv/bin/python bench/verifiers.py [--rounds 20] [--json]

The hand-written requests of the bundled domain, each answered as it should be, so that every verifier goes the whole way; they alternate,
so that no cache holds them. What a judge, a service, further samples or your own function take is theirs.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a script, the repository's root is not on the path
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from models.recording import asked, handwritten
from router.ports import Verifier
from router.registry import verifiers
from router.types import Choice, Draft, Token
from server.assistant import registry
from server.services import ProcessServices

CALIBRATION = Path(__file__).absolute().parents[1] / "deploy/config/calibration/auto.json"
LOCAL: tuple[dict[str, Any], ...] = (
    {"kind": "contract"},
    {"kind": "function"},
    {"kind": "rule", "expression": "answer.tool_calls.all(c, c.name != 'make_call' || request.text.contains('call'))"},
    {"kind": "guard", "patterns": [r"\bsk-[A-Za-z0-9]{20,}\b", "(?i)internal use only"]},
    {"kind": "grounded"},
    {"kind": "confidence", "calibration": str(CALIBRATION)},
)


def drafts() -> list[Draft]:
    """Right answers with log-probabilities, one a request."""
    cases = list(handwritten())
    return [Draft(asked(case, at), "small", Choice(case.answer, "stop", _tokens(case.answer))) for at, case in enumerate(cases)]


def _tokens(text: str) -> tuple[Token, ...]:
    return tuple(Token(text[at : at + 4], -0.05, -0.06, free=at % 12 == 0) for at in range(0, len(text), 4))


async def timed(verifier: Verifier, chosen: list[Draft], rounds: int) -> list[float]:
    """Microseconds of CPU of each verdict."""
    spent = []
    for draft in chosen * rounds:
        started = time.thread_time()
        await verifier.judge(draft)
        spent.append(1e6 * (time.thread_time() - started))
    return spent


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    services, chosen = ProcessServices({}, frozenset(), {}), drafts()
    told = {}
    for given in LOCAL:
        verifier: Verifier = verifiers.build(given, "verifiers", registry=registry, services=services)
        asyncio.run(timed(verifier, chosen, 1))
        cuts = statistics.quantiles(asyncio.run(timed(verifier, chosen, options.rounds)), n=20)
        told[given["kind"]] = {"median_us": round(cuts[9], 1), "p95_us": round(cuts[18], 1)}
    if options.json:
        print(json.dumps(told))
        return
    for kind, row in told.items():
        print(f"{kind:12}{row['median_us']:>10}{row['p95_us']:>10}")


if __name__ == "__main__":
    main()
