"""Repair against escalating at once: what one more try on the small tier, told its violations, brings and costs.

    .venv/bin/python bench/repair.py [--n 500] [--handwritten] [--json]

The bundled pair under the demonstration's prices and hard gates (contract; function with its semantic checks and dry run), nothing else, so
that only what a gate rejects climbs. Rows: no repair, one, two. `tried` requests were repaired, of those `passed` the gates then and
`right` were right; accuracy, dollars and dollars a success are of all requests. Decoding is guided: the form is never broken,
and what can be mended is what the semantic checks find.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

if __name__ == "__main__":  # run as a script, the repository's root is not on the path
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from drafting import arguments, cases, printed

from models.generate import same_answer
from models.recording import Case, asked
from router.cascade import Cascade
from router.policy import Rules
from router.route import Route
from router.types import Outcome, Price, Tier
from router.verifiers.contract import ContractVerifier
from router.verifiers.function import FunctionVerifier
from server.assistant import registry
from server.config import TokenPrice, load
from server.engines.embedded import EmbeddedEngine

SETTINGS = Path(__file__).absolute().parents[1] / "deploy/config/demo.yaml"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What so many repairs made of the same requests."""

    repairs: int
    accuracy: float
    tried: int
    passed: int
    right: int
    escalated: int
    cost: float
    cost_per_success: float | None


async def compared(cases: Sequence[Case]) -> list[Repaired]:
    """The same requests with no, one and two repairs."""
    engines = {name: EmbeddedEngine(name, name, threads=1) for name in ("small", "large")}
    tiers = tuple(Tier(rung.label, rung.label, _price(rung.price)) for rung in load(SETTINGS).routes["auto"].tiers)
    try:
        return [await _ran(engines, tiers, cases, repairs) for repairs in (0, 1, 2)]
    finally:
        for engine in engines.values():
            await engine.close()


async def _ran(engines: dict[str, EmbeddedEngine], tiers: tuple[Tier, ...], cases: Sequence[Case], repairs: int) -> Repaired:
    route = Route("auto", tiers, (ContractVerifier(), FunctionVerifier(registry)), Rules(repairs, when_all_abstain="accept"))
    cascade = Cascade(route, engines, time.monotonic)
    done = [(await cascade.run(asked(case, place))).outcome for place, case in enumerate(cases)]
    rights = [_right(outcome, case) for outcome, case in zip(done, cases, strict=True)]
    mended = [place for place, outcome in enumerate(done) if any(a.kind == "repair" and a.tier == tiers[0].name for a in outcome.attempts)]
    passed = [place for place in mended if (kept := done[place].kept) and kept.kind == "repair" and kept.tier == tiers[0].name]
    cost, right = sum(outcome.cost for outcome in done), sum(rights)
    print(f"{repairs} repairs: {right} of {len(cases)} right, {len(mended)} repaired", file=sys.stderr)
    escalated = sum(len({attempt.tier for attempt in outcome.attempts}) > 1 for outcome in done)
    each = cost / right if right else None
    return Repaired(repairs, right / len(cases), len(mended), len(passed), sum(rights[p] for p in passed), escalated, cost, each)


def _right(outcome: Outcome, case: Case) -> bool:
    kept = outcome.kept
    return kept is not None and kept.generation is not None and same_answer(kept.generation.choices[0].text, case.answer)


def _price(price: object) -> Price:
    return Price(price.prompt, price.completion) if isinstance(price, TokenPrice) else Price()


def main() -> None:
    """Print a table, or one JSON object."""
    options = arguments(__doc__, 500).parse_args()
    chosen = cases(options)
    printed(len(chosen), [asdict(row) for row in asyncio.run(compared(chosen))], as_json=options.json)


if __name__ == "__main__":
    main()
