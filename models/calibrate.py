"""Fit the demonstration's calibration on the domain's own calibration split, and measure the pair on what it never saw.

``python models/calibrate.py`` writes deploy/config/calibration/auto.json and models/measured.json; ``--measure`` only measures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":  # Run as a script, the repository's root is not on the path.
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from models.recording import Answered, Case, answers, generated, handwritten, labelled
from router.calibration.artifact import LEARNED, Artifact
from router.calibration.examples import Example
from router.calibration.fit import fit
from router.calibration.options import Options
from router.evaluation.measures import auroc
from server.engines.embedded import EmbeddedEngine

ROOT = Path(__file__).absolute().parents[1]
ARTIFACT = ROOT / "deploy/config/calibration/auto.json"
MEASURED = ROOT / "models/measured.json"


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


async def both(cases: Sequence[Case]) -> tuple[list[Answered], list[Answered]]:
    """What each of the pair answers."""
    found = []
    for name in ("small", "large"):
        engine = EmbeddedEngine(name, name)
        found.append(await answers(engine, cases, say))
        await engine.close()
    return found[0], found[1]


def exact(answered: Sequence[Answered]) -> dict[str, float]:
    """Exact match: all, easy, hard, and by kind."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for one in answered:
        for name in ("all", "hard" if one.case.hard else "easy", one.case.kind):
            groups[name].append(one.right)
    return {name: round(sum(rights) / len(rights), 4) for name, rights in sorted(groups.items())}


def ranking(artifact: Artifact, found: Sequence[Example]) -> dict[str, float | None]:
    """AUROC of every score for "the small model is wrong"."""
    wrong = np.array([one.wrong for one in found])
    learned = np.array([artifact.rate(one.found, one.grams).order for one in found])
    table = {LEARNED: auroc(learned, wrong)}
    for name in sorted({name for one in found for name in one.raw}):
        known = [(one.raw[name], one.wrong) for one in found if name in one.raw]
        table[name] = auroc(np.array([value for value, _ in known]), np.array([bad for _, bad in known]))
    return {name: None if value is None else round(value, 4) for name, value in table.items()}


def coverage(order: Sequence[float], wrong: Sequence[bool], error: float) -> float:
    """The largest share of drafts that any threshold on this score keeps with at most this share of wrong ones: the curve's own best."""
    ranked = np.array(wrong, dtype=float)[np.argsort(order, kind="stable")]
    risks = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    fine = np.flatnonzero(risks <= error)
    return round(float((fine[-1] + 1) / len(ranked)), 4) if len(fine) else 0.0


def best(artifact: Artifact, found: Sequence[Example], error: float) -> dict[str, float]:
    """That coverage for every score, in hindsight."""
    wrong = [one.wrong for one in found]
    names = sorted({name for one in found for name in one.raw})
    table = {LEARNED: coverage([artifact.rate(one.found, one.grams).order for one in found], wrong, error)}
    return table | {name: coverage([one.raw.get(name, float("inf")) for one in found], wrong, error) for name in names}


def kept(artifact: Artifact, found: Sequence[Example]) -> dict[str, float | None]:
    """Share of drafts kept and of wrong ones among them."""
    rights = [not one.wrong for one in found if artifact.rate(one.found, one.grams).keep]
    return {
        "share": round(len(rights) / len(found), 4),
        "error": round(1 - sum(rights) / len(rights), 4) if rights else None,
        "drafts": len(found),
    }


def measured(artifact: Artifact, cases: Sequence[Case]) -> dict[str, Any]:
    """Everything that the model card states of one set of requests."""
    small, large = asyncio.run(both(cases))
    found = labelled(small, large)
    return {
        "n": len(cases),
        "exact": {"small": exact(small), "large": exact(large)},
        "auroc": ranking(artifact, found),
        "kept": kept(artifact, found),
        "coverage_in_hindsight": best(artifact, found, artifact.certificate.max_error),
    }


def main() -> None:
    """Fit unless told not to, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="keep the calibration that is there")
    parser.add_argument("--n", type=int, default=6000, help="requests of the calibration split")
    parser.add_argument("--test", type=int, default=2000, help="requests of the test split")
    parser.add_argument("--max-error", type=float, default=0.05)
    parser.add_argument("--confidence", type=float, default=0.95)
    options = parser.parse_args()
    started = time.monotonic()
    if not options.measure:
        small, large = asyncio.run(both(generated("calibration", options.n, seed=1)))
        artifact = fit(labelled(small, large), Options(max_error=options.max_error, confidence=options.confidence), say)
        ARTIFACT.parent.mkdir(parents=True, exist_ok=True)
        artifact.save(ARTIFACT)
    artifact = Artifact.load(ARTIFACT)
    table = {"generated": measured(artifact, generated("test", options.test, seed=2)), "handwritten": measured(artifact, handwritten())}
    MEASURED.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(table, indent=1))
    say(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
