"""What fit, replay and report share: their options, reading records with progress, and errors as the command line shows them."""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from router.calibration.artifact import Artifact
from router.errors import ConfigError, InvalidRequest
from router.evaluation.drafts import SECOND, Tiers
from router.evaluation.logged import LeftOut
from router.evaluation.records import Record, read
from router.evaluation.replay import Replay
from router.types import Price

_EVERY = 1000
_LEFT_OUT: dict[LeftOut, str] = {
    "unlabelled": "nobody knows how right their answers were; where these were kept and no mode was shadow, the rest speaks of what was "
    "passed over, not of what would be kept",
    "other_tiers": "a tier that is asked for did not answer",
}


def add_records(parser: argparse.ArgumentParser) -> None:
    """Options that name the records and the tiers in them."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="F", help="replay records, one JSON object a line")
    parser.add_argument("--small", default="small", metavar="TIER", help="the recorded tier that plays small; default: %(default)s")
    parser.add_argument("--large", default="large", metavar="TIER", help="the recorded tier that plays large; default: %(default)s")
    parser.add_argument("--agreement", action="store_true", help=f"look at the {SECOND!r} answer of each record too")


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Options of a replay."""
    add_records(parser)
    parser.add_argument("--calibration", type=Path, required=True, metavar="ARTIFACT", help="what `smallfirst fit` wrote")
    parser.add_argument("--score", default="learned", help="the artifact's signal to judge by; default: %(default)s")
    add_price(parser)


def add_price(parser: argparse.ArgumentParser) -> None:
    """What the tiers' tokens cost."""
    help_text = "dollars per million tokens of a tier, for the cost per success; once for each tier"
    parser.add_argument("--price", type=price, action="append", default=[], metavar="TIER=PROMPT,COMPLETION", help=help_text)


def tiers(options: argparse.Namespace) -> Tiers:
    """The tiers that the options name."""
    return Tiers(options.small, options.large, options.agreement)


def price(text: str) -> tuple[str, Price]:
    """`TIER=PROMPT,COMPLETION` in dollars per million tokens."""
    try:
        tier, amounts = text.rsplit("=", 1)
        prompt, completion = map(float, amounts.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not TIER=PROMPT,COMPLETION") from error
    if not tier or not all(0 <= amount < math.inf for amount in (prompt, completion)):
        raise argparse.ArgumentTypeError(f"{text!r} is not TIER=PROMPT,COMPLETION")
    return tier, Price(prompt, completion)


def records(options: argparse.Namespace, *, large: bool = True) -> list[Record]:
    """All records of the files; of feedback those that hold both tiers, or without `large` the small one.

    Raises ConfigError naming file and line, or the option that they do not allow.
    """
    if options.small == options.large:
        raise ConfigError(f"--small and --large are the same tier {options.small!r}", param="large")
    needed, left_out = [options.small, options.large], Counter[LeftOut]()
    with refusals():
        found = list(_counted(read(options.data, needed, lambda why: left_out.update([why]), needed if large else needed[:1])))
    for why, count in left_out.items():
        say(f"{count} requests left out: {_LEFT_OUT[why]}")
    _priced(found, [tier for tier, _ in options.price])
    if options.agreement:
        _compared(found)
    return found


def _priced(found: Sequence[Record], priced: Sequence[str]) -> None:
    names = sorted({name for record in found for name in record.answers})
    unknown = [tier for tier in priced if found and tier not in names]
    if unknown:
        raise ConfigError(f"--price: no record has the tier {unknown[0]!r}, only {', '.join(names)}", param="price")


def writable(out: Path, data: Sequence[Path]) -> None:
    """Before long work: raises ConfigError where `out` is one of the records' own files or cannot be written; makes its folder."""
    with refusals():
        if any(out.resolve() == path.resolve() for path in data):
            raise ConfigError(f"--out: {out} holds the records", param="out")
        out.parent.mkdir(parents=True, exist_ok=True)
        new = not out.exists()
        out.open("a", encoding="utf-8").close()
        if new:
            out.unlink()


def calibration(options: argparse.Namespace) -> Artifact:
    """The artifact to judge by; raises ConfigError where it cannot be read or has not the signal asked for."""
    artifact = Artifact.load(options.calibration)
    if options.score not in artifact.stored.signals:
        known = ", ".join(sorted(artifact.stored.signals))
        raise ConfigError(f"--score: {options.calibration} has no {options.score!r}, only {known}", param="score")
    return artifact


def unjudged(result: Replay) -> None:
    """Say how many records the calibration cannot judge at all."""
    count = int(np.isnan(result.confidence).sum())
    if count:
        say(f"{count} of {len(result.confidence)} records cannot be judged by this calibration: all of them escalate")


def _compared(found: Sequence[Record]) -> None:
    alone = sum(SECOND not in record.answers for record in found)
    if found and alone == len(found):
        raise ConfigError(f"no record has the tier {SECOND!r} that agreement compares with", param="agreement")
    if alone:
        say(f"{alone} of {len(found)} records have no {SECOND!r} answer: nothing agrees with them")


def _counted(found: Iterator[Record]) -> Iterator[Record]:
    for count, record in enumerate(found, 1):
        if count % _EVERY == 0:
            say(f"{count} records read")
        yield record


@contextmanager
def refusals() -> Iterator[None]:
    """Input that makes no sense ends the command with one line."""
    try:
        yield
    except InvalidRequest as error:
        raise ConfigError(error.message, param=error.param) from error
    except OSError as error:
        raise ConfigError(str(error)) from error
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "sklearn":
            raise
        raise ConfigError("fitting needs the extra `fit`: pip install 'smallfirst[fit]'") from missing


def say(line: str) -> None:
    """Progress, beside the output."""
    print(line, file=sys.stderr, flush=True)


def counting(total: int) -> Callable[[int], None]:
    """Progress of a replay over so many records."""

    def count(done: int) -> None:
        if done % _EVERY == 0:
            say(f"{done} of {total} records judged")

    return count
