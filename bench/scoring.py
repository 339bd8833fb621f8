"""What judging one draft costs on the hot path: features, heads and trees, in microseconds on one core.

``python bench/scoring.py`` judges the hand-written requests of the bundled domain with the demonstration's calibration, each answered as it
should be, with log-probabilities. No request and no answer comes twice, so that no cache holds them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

if __name__ == "__main__":  # Run as a script, the repository's root is not on the path.
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from models.recording import asked, handwritten
from router.calibration.artifact import Artifact
from router.types import Alternative, Choice, Draft, Token

ROOT = Path(__file__).absolute().parents[1]
AIM = 300.0


def drafts(turn: int = 0) -> list[Draft]:
    """One draft a request; every third token was doubtful. Another turn says the same with other blanks at the end."""
    found = []
    for place, case in enumerate(handwritten()):
        blanks = " " * turn
        case = replace(case, request=case.request + blanks, answer=case.answer + blanks)
        pieces = re.findall(r"\w+|\W", case.answer)
        tokens = tuple(
            Token(piece, -0.02 - 0.5 * (at % 3 == 0), -0.03, piece.isalnum(), (Alternative(piece, -0.02), Alternative("x", -4.0)))
            for at, piece in enumerate(pieces)
        )
        found.append(Draft(asked(case, place), "small", Choice(case.answer, "stop", tokens)))
    return found


def timed(artifact: Artifact, chosen: list[Draft]) -> np.ndarray:
    """Microseconds of each judgement."""
    spent = []
    for draft in chosen:
        started = time.thread_time()
        artifact.judge(draft)
        spent.append(1e6 * (time.thread_time() - started))
    return np.array(spent)


def main() -> None:
    """Print median and percentiles beside the aim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--calibration", type=Path, default=ROOT / "deploy/config/calibration/auto.json", help="default: the demonstration's"
    )
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    artifact = Artifact.load(options.calibration)
    timed(artifact, drafts())
    spent = np.concatenate([timed(artifact, drafts(turn)) for turn in range(1, options.rounds + 1)])
    gate = [1e6 * _gate(artifact, draft) for turn in range(options.rounds) for draft in drafts(100 + turn)]
    print(
        json.dumps(
            {
                "n": len(spent),
                "median_us": round(float(np.median(spent)), 1),
                "p95_us": round(float(np.quantile(spent, 0.95)), 1),
                "before_generation_median_us": round(float(np.median(gate)), 1),
                "aim_us": AIM,
            }
        )
    )


def _gate(artifact: Artifact, draft: Draft) -> float:
    started = time.thread_time()
    artifact.hopeless(draft.request)
    return time.thread_time() - started


if __name__ == "__main__":
    main()
