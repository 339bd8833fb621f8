"""`smallfirst report`: one self-contained HTML page of a replay."""

import argparse
from pathlib import Path

from router.evaluation.baselines import orders
from router.evaluation.replay import replay, summarise
from router.evaluation.report import page
from server.commands.parsing import Commands, add_command
from server.commands.recorded import add_replay, calibration, counting, records, refusals, say, tiers, unjudged, writable


def add(commands: Commands) -> None:
    """Register the command."""
    example = "smallfirst report --data test.jsonl --calibration calibration/auto.json --out report.html"
    parser = add_command(commands, "report", "plots and tables of a replay, beside all baselines", example, run)
    add_replay(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="F", help="the HTML file to write")


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    artifact, found = calibration(options), records(options)
    writable(options.out, options.data)
    with refusals():
        result = replay(found, artifact, tiers(options), dict(options.price), options.score, counting(len(found)))
        unjudged(result)
        compared = orders(found, tiers(options), lambda name: say(f"baseline: {name}"))
        title = f"Replay of {', '.join(path.name for path in options.data)}"
        options.out.write_text(page(title, result, summarise(result), compared, artifact.certificate), encoding="utf-8")
    say(f"{options.out}: written")
    return 0
