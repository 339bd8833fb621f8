"""`smallfirst replay`: what a calibration would have done with recorded answers."""

import argparse
import json

from router.evaluation.replay import Report, replay, summarise
from server.commands.parsing import Commands, add_command
from server.commands.recorded import add_replay, calibration, counting, records, refusals, tiers, unjudged


def add(commands: Commands) -> None:
    """Register the command."""
    example = "smallfirst replay --data test.jsonl --calibration calibration/auto.json --price small=0.02,0.04 --price large=0.6,1.8 --json"
    parser = add_command(commands, "replay", "run the cascade over recorded answers", example, run)
    add_replay(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print the measures, as JSON or as a short table."""
    artifact = calibration(options)
    found = records(options)
    with refusals():
        result = replay(found, artifact, tiers(options), dict(options.price), options.score, counting(len(found)))
    unjudged(result)
    report = summarise(result)
    print(json.dumps(report) if options.json else _table(report))
    return 0


def _table(report: Report) -> str:
    rows = [("all", report), *report["groups"].items()]
    columns = ("n", "small", "large", "auroc", "apgr", "calls95", "ece", "coverage", "kept_error")
    lines = ["".join([f"{'group':28}", *(f"{column:>11}" for column in columns)])]
    for name, summary in rows:
        known = dict(summary)
        lines.append("".join([f"{name[:27]:28}", *(f"{_shown(known[column]):>11}" for column in columns)]))
    return "\n".join(lines)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
