"""What judging one request costs on the hot path: features, heads and trees, in microseconds on one core.

``python bench/scoring.py`` judges the hand-written requests of the bundled domain with the demonstration's calibration, each answered as it
should be, with log-probabilities. As in live traffic each request meets the gate before it is answered and its draft is judged afterwards;
none comes twice, so that no cache holds them. The aim is for the judgement of the draft.
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
    """Microseconds before and after the generation, a row a request."""
    spent = []
    for draft in chosen:
        started = time.thread_time()
        artifact.hopeless(draft.request)
        between = time.thread_time()
        artifact.judge(draft)
        spent.append((1e6 * (between - started), 1e6 * (time.thread_time() - between)))
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
    before, after = spent.T
    told = {
        "n": len(spent),
        "median_us": round(float(np.median(after)), 1),
        "p95_us": round(float(np.quantile(after, 0.95)), 1),
        "before_generation_median_us": round(float(np.median(before)), 1),
        "together_median_us": round(float(np.median(before + after)), 1),
        "aim_us": AIM,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
