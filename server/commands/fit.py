"""`smallfirst fit`: from labelled records to a calibration artifact with a threshold that keeps its promise."""

import argparse
from pathlib import Path

from router.calibration.artifact import LEARNED, Artifact
from router.calibration.thresholds import Threshold
from server.commands.parsing import Commands, add_command, positive
from server.commands.recorded import add_price, add_records, records, refusals, say, tiers, writable


def add(commands: Commands) -> None:
    """Register the command."""
    example = "smallfirst fit --data outcomes.jsonl --out calibration/auto.json --max-error 0.05 --confidence 0.95"
    parser = add_command(commands, "fit", "fit scores and certified thresholds on labelled records", example, run)
    add_records(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="ARTIFACT", help="the JSON file to write")
    parser.add_argument(
        "--objective", choices=("error", "gain"), default="error", help="defer by P(small wrong), or by P(large right) - P(small right)"
    )
    parser.add_argument(
        "--loss", choices=("error", "regret"), default="error", help="what to bound: wrong, or wrong where the large tier is right"
    )
    parser.add_argument(
        "--max-error", type=share, default=0.05, metavar="E", help="largest share of it among the kept; default: %(default)s"
    )
    parser.add_argument(
        "--confidence", type=share, default=0.95, metavar="C", help="probability that the promise holds; default: %(default)s"
    )
    parser.add_argument(
        "--promise",
        choices=("next", "rate"),
        default="next",
        help="what the share is counted over: the next requests, as many as there are labels, or all there will ever be, which keeps a "
        "little more; default: %(default)s",
    )
    parser.add_argument(
        "--max-cost",
        type=positive,
        metavar="DOLLARS",
        help="the best quality at this mean cost a request instead of a promise on the error; needs --price for both tiers",
    )
    add_price(parser)
    parser.add_argument("--seed", type=seed, default=0, help="of the folds; default: %(default)s")


def share(text: str) -> float:
    """A number strictly between 0 and 1."""
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def seed(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Fit and write the artifact; what it promises and every warning go to stderr."""
    from router.calibration.fit import fit
    from router.calibration.options import Options
    from router.evaluation.drafts import examples
    from router.registry import scores

    compared = options.objective == "gain" or options.loss == "regret" or options.max_cost is not None
    found = records(options, large=compared)
    writable(options.out, options.data)
    say(f"{len(found)} records")
    chosen = Options(
        options.objective,
        options.loss,
        options.max_error,
        options.confidence,
        options.small,
        options.large,
        options.seed,
        options.max_cost,
        options.promise,
    )
    with refusals():
        raw = {kind: scores.build({"kind": kind}, "scores") for kind in scores.kinds()}
        artifact = fit(examples(found, tiers(options), raw, dict(options.price)), chosen, say)
        artifact.save(options.out)
    tell(artifact)
    say(f"{options.out}: written")
    return 0


def tell(artifact: Artifact) -> None:
    """What the artifact promises and every warning, on stderr."""
    signal = artifact.stored.signals[LEARNED]
    for name, threshold in (("pooled", signal.pooled), *signal.groups.items()):
        say(f"{name}: {_promised(threshold)}")
    for warning in artifact.certificate.warnings:
        say(f"warning: {warning}")


def _promised(threshold: Threshold | None) -> str:
    if threshold is None:
        return "nothing certified, everything escalates"
    share_kept = threshold.kept / threshold.labels
    kept = f"keeps {share_kept:.1%} of {threshold.labels} labels, {threshold.wrong} wrong"
    if threshold.cost is None or threshold.cost_bound is None:
        return f"{kept}, at most {threshold.bound:.2%} by the bound"
    return f"{kept}; {threshold.cost:.3g} dollars a request, at most {threshold.cost_bound:.3g} by the bound"
