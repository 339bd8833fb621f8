"""What the calibration reaches on the bundled pair through the live gateway, beside the best single raw score at the same target.

    .venv/bin/python bench/pair.py [--n 600] [--handwritten] [--json] [--promise]

Sends held-out generated requests (or the hand-written ones) to `auto` and reads each small draft's confidence, whether it was kept and
whether what was kept is right. The same drafts are then judged by every raw score under the threshold that the fit certified for it on
the same labels and for the same target; `hindsight` is the share that a score could keep if its threshold were chosen on these very
requests. The aims: AUROC at least .90, kept error within the target, and 15 points more kept than by any raw score.

With ``--promise`` nothing goes over HTTP: the drafts, as the learned score orders them, are split at random 200 times as bench/promise.py
says, and it is counted how often the promise broke.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from measuring import canonical
from promise import Judged, promises

from models.calibrate import coverage
from models.generate import same_answer
from models.recording import Answered, Case, answers, draft, generated, handwritten, violations
from router.calibration.artifact import LEARNED, Artifact
from router.calibration.thresholds import upper_bound
from router.evaluation.measures import auroc
from server.assistant import registry
from server.demo import serving
from server.engines.embedded import EmbeddedEngine

ROOT = Path(__file__).absolute().parents[1]
SETTINGS = ROOT / "deploy/config/demo.yaml"
ARTIFACT = ROOT / "deploy/config/calibration/auto.json"
AUROC, POINTS = 0.90, 0.15
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Live:
    """One request through the gateway: P(correct) of the small draft (`None` where a hard gate refused it), and what became of it."""

    confidence: float | None
    kept: bool
    right: bool


async def ask(client: httpx.AsyncClient, case: Case) -> Live:
    """Over HTTP, with the account of all attempts."""
    tools = [tool for tool in registry.tools() if tool.name in case.functions]
    offered = [
        {"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}}
        for tool in sorted(tools, key=lambda tool: case.functions.index(tool.name))
    ]
    system = [{"role": "system", "content": case.system}] if case.system else []
    body = {"model": "auto", "messages": [*system, {"role": "user", "content": case.request}], "tools": offered}
    response = await client.post("/v1/chat/completions", json=body, headers={"x-smallfirst-explain": "1"})
    told = response.json()
    if response.status_code != 200:
        return Live(None, kept=False, right=False)
    right = same_answer(canonical(told["choices"][0]["message"]), case.answer)
    return Live(_confidence(told["smallfirst"]["attempts"]), response.headers["x-smallfirst-tier"] == "small", right)


def _confidence(attempts: Sequence[dict[str, Any]]) -> float | None:
    said = [verdict for attempt in attempts if attempt["tier"] == "small" for verdict in attempt["verdicts"]]
    return next((verdict["confidence"] for verdict in said if verdict["verifier"] == "confidence"), None)


async def live(url: str, cases: Sequence[Case]) -> list[Live]:
    """Every case, a few at a time."""
    limit = asyncio.Semaphore(AT_ONCE)

    async with httpx.AsyncClient(base_url=url, timeout=120) as client:

        async def one(case: Case) -> Live:
            async with limit:
                return await ask(client, case)

        return list(await asyncio.gather(*map(one, cases)))


async def drafted(cases: Sequence[Case]) -> list[Answered]:
    """The same small drafts with their log-probabilities, which the gateway does not give away."""
    engine = EmbeddedEngine("small", "small")
    found = await answers(engine, cases, lambda line: print(line, file=sys.stderr))
    await engine.close()
    return found


def measured(found: Sequence[Live], small: Sequence[Answered], artifact: Artifact) -> dict[str, Any]:
    """The live measures, and what each signal keeps of the same drafts."""
    judged = [(one, answered) for one, answered in zip(found, small, strict=True) if one.confidence is not None]
    wrong = np.array([not answered.right for _, answered in judged])
    kept = [one.right for one in found if one.kept]
    ranked = auroc(np.array([-(one.confidence or 0.0) for one, _ in judged]), wrong)
    signals = {name: _signal(artifact, name, small) for name in artifact.stored.signals}
    best = max((one["share"] for name, one in signals.items() if name != LEARNED), default=0.0)
    seen = max((one["hindsight"] for name, one in signals.items() if name != LEARNED), default=0.0)
    share, error = len(kept) / len(found), 1 - sum(kept) / len(kept) if kept else 0.0
    return {
        "n": len(found),
        "small_right": float(np.mean([answered.right for answered in small])),
        "right": float(np.mean([one.right for one in found])),
        "auroc": ranked,
        "share_kept": share,
        "kept_error": error if kept else None,
        "kept_error_bound": upper_bound(len(kept) - sum(kept), len(kept), artifact.certificate.confidence) if kept else None,
        "best_raw_share": best,
        "best_raw_hindsight": seen,
        "signals": signals,
        "target": {"max_error": artifact.certificate.max_error, "confidence": artifact.certificate.confidence},
        "reached": {
            "auroc": ranked is not None and ranked >= AUROC,
            "kept_error": error <= artifact.certificate.max_error,
            "share_over_best_raw": share - best >= POINTS,
            "share_over_best_raw_in_hindsight": share - seen >= POINTS,
        },
    }


def _signal(artifact: Artifact, name: str, small: Sequence[Answered]) -> dict[str, float]:
    judgements = [(artifact.judge(draft(one), name), one.right) for one in small if one.choice is not None and not violations(one)]
    known = [(judgement, right) for judgement, right in judgements if judgement is not None]
    kept = [right for judgement, right in known if judgement.keep]
    best = coverage([judgement.order for judgement, _ in known], [not right for _, right in known], artifact.certificate.max_error)
    return {
        "share": len(kept) / len(small),
        "error": 1 - sum(kept) / len(kept) if kept else 0.0,
        "hindsight": best * len(known) / len(small),
    }


def learned(small: Sequence[Answered], artifact: Artifact) -> Judged:
    """The drafts that no hard gate refuses, as the learned score orders them; equal requests are one question."""
    known = [(artifact.judge(draft(one)), one) for one in small if one.choice is not None and not violations(one)]
    told = [(judgement.order, not one.right, one.case.request.casefold()) for judgement, one in known if judgement is not None]
    order, wrong, keys = zip(*told, strict=True)
    return Judged(np.array(order), np.array(wrong), np.array(keys))


def main() -> None:
    """Print one JSON object, or a line a signal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=600, help="generated requests; default: %(default)s")
    parser.add_argument("--handwritten", action="store_true", help="the hand-written requests instead")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--promise", action="store_true", help="the check of the certified bound, over 200 splits of the drafts")
    options = parser.parse_args()
    cases = handwritten() if options.handwritten else generated("test", options.n, seed=3)
    if options.promise:
        artifact = Artifact.load(ARTIFACT)
        judged, promised = learned(asyncio.run(drafted(cases)), artifact), artifact.certificate
        print(json.dumps({"n": len(judged.order)} | promises(judged, promised.max_error, promised.confidence)))
        return
    with serving(SETTINGS, patience=120) as url:
        found = asyncio.run(live(url, cases))
    told = measured(found, asyncio.run(drafted(cases)), Artifact.load(ARTIFACT))
    print(json.dumps(told) if options.json else _table(told))


def _table(told: dict[str, Any]) -> str:
    lines = [f"{name:32} {value}" for name, value in told.items() if name not in ("signals", "reached")]
    lines += [f"  {name:12} " + "  ".join(f"{key} {value:.3f}" for key, value in one.items()) for name, one in told["signals"].items()]
    return "\n".join([*lines, *(f"{name}: {'reached' if good else 'MISSED'}" for name, good in told["reached"].items())])


if __name__ == "__main__":
    main()
