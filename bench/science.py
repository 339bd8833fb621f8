"""What the calibration reaches on recorded outputs, beside what it should: fitted and judged on random splits by question.

``python bench/science.py DATA`` where DATA holds replay records (the format of router/evaluation/records.py), one file a pair. The data is
not part of this project. Every split is fitted by ``smallfirst fit`` and judged as ``smallfirst replay`` does, on questions that the fit
never saw. Splits of a few hundred records differ much, so each mean stands with its standard error over the splits; ``--markdown`` prints
the rows of docs/calibration.md. Where the large tier errs nearly as often as the small one, the order is by gain. ``--promise`` counts how
often the certified bound breaks over 200 random splits, in both readings, and how often a merely tuned threshold does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from promise import Judged, promises

if __name__ == "__main__":  # Run as a script, the repository's root is not on the path.
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from router.calibration.artifact import Artifact
from router.evaluation.drafts import Tiers
from router.evaluation.measures import ece_of_perfect
from router.evaluation.records import read
from router.evaluation.replay import Replay, replay, summarise
from server.__main__ import main as command

TEST_SHARE = 0.25
MANY, LIMIT, SLACK = 3000, 0.03, 0.02


@dataclass(frozen=True, slots=True)
class Aim:
    """One set of records, how it is fitted, and what should be reached: at least this AUROC and APGR, at most this share of large calls.

    `share` of the questions are judged.
    """

    pair: str
    options: tuple[str, ...]
    auroc: float | None
    apgr: float
    calls95: float | None
    share: float = TEST_SHARE


AIMS = (
    Aim("xlam1b-sonnet35", (), 0.719, 0.717, 0.32),
    Aim("hermes7b-gpt4", (), 0.765, 0.693, 0.49),
    Aim("qwen15b-qwen8b", (), 0.834, 0.694, 0.69),
    Aim("qwen4b-qwen8b", ("--objective", "gain"), 0.860, 1.130, 0.03),
    Aim("llama8b-toolace", (), 0.884, 0.826, 0.30),
    Aim("xlam1b-sonnet35", ("--agreement",), 0.854, 0.883, 0.16),
    Aim("hermes7b-gpt4", ("--agreement",), 0.810, 0.735, 0.46),
    Aim("qwen15b-qwen8b", ("--agreement",), 0.896, 0.734, 0.52),
    Aim("qwen4b-qwen8b", ("--agreement", "--objective", "gain"), 0.889, 1.135, 0.029),
    Aim("llama8b-toolace", ("--agreement",), 0.914, 0.840, 0.28),
    Aim("mmlu", ("--objective", "gain"), None, 0.658, None, share=0.4),
    Aim("emotion", (), 0.834, 0.956, 0.11),
    Aim("emotion", ("--objective", "gain"), None, 0.990, None),
)


@dataclass(frozen=True, slots=True)
class Found:
    """One split's measures; `limit` is the ECE that is still good on so many records."""

    auroc: float
    apgr: float
    calls95: float
    ece: float
    limit: float
    seconds: float
    n: int


def splits(lines: Sequence[str], keys: Sequence[str], count: int, share: float = TEST_SHARE) -> Iterator[tuple[list[str], list[str]]]:
    """Records to fit and to judge, drawn by question."""
    questions = np.array(sorted(set(keys)), dtype=object)
    for seed in range(count):
        drawn = np.random.default_rng(1000 + seed).permutation(questions)
        held = set(drawn[: int(len(drawn) * share)].tolist())
        fitted = [line for line, key in zip(lines, keys, strict=True) if key not in held]
        yield fitted, [line for line, key in zip(lines, keys, strict=True) if key in held]


def load(data: Path, pair: str) -> tuple[list[str], list[str]]:
    """The lines of a set and the questions that they ask."""
    path = data / f"{pair}.jsonl"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines, [record.key for record in read([path])]


def fitted(folder: Path, lines: Sequence[str], options: Sequence[str]) -> Artifact:
    """What `smallfirst fit` makes of the lines."""
    (folder / "fit.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said, out = StringIO(), folder / "artifact.json"
    with redirect_stderr(said):
        code = command(["fit", "--data", str(folder / "fit.jsonl"), "--out", str(out), *options])
    if code:
        raise SystemExit(said.getvalue())
    return Artifact.load(out)


def judged(folder: Path, lines: Sequence[str], artifact: Artifact, tiers: Tiers) -> Replay:
    """What `smallfirst replay` computes of the lines."""
    (folder / "test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return replay(read([folder / "test.jsonl"]), artifact, tiers)


def measured(aim: Aim, lines: Sequence[str], keys: Sequence[str], count: int) -> Iterator[Found]:
    """The measures of each split."""
    tiers = Tiers(agreement="--agreement" in aim.options)
    with TemporaryDirectory() as name:
        for fit_on, judge_on in splits(lines, keys, count, aim.share):
            started = time.monotonic()
            artifact = fitted(Path(name), fit_on, aim.options)
            seconds = time.monotonic() - started
            result = judged(Path(name), judge_on, artifact, tiers)
            yield _found(result, seconds)


def _found(result: Replay, seconds: float) -> Found:
    summary = summarise(result)
    confidence = result.confidence[~np.isnan(result.confidence)]
    limit = LIMIT if len(confidence) >= MANY else ece_of_perfect(confidence) + SLACK
    known = (summary["auroc"], summary["apgr"], summary["calls95"], summary["ece"])
    return Found(*(float("nan") if value is None else value for value in known), limit, seconds, summary["n"])


@dataclass(frozen=True, slots=True)
class Cell:
    """One measure: its mean over the splits, the standard error of that, and what it should be at least (or at most)."""

    name: str
    mean: float
    error: float
    target: float | None
    least: bool = True

    @property
    def reached(self) -> bool:
        return self.target is None or (self.mean >= self.target if self.least else self.mean <= self.target)

    def __str__(self) -> str:
        sign = ">=" if self.least else "<="
        wanted = "" if self.target is None else f" ({sign} {self.target:.3f}: {'reached' if self.reached else 'MISSED'})"
        return f"{self.name} {self.mean:.3f} +-{self.error:.3f}{wanted}"

    def markdown(self) -> str:
        """Value, standard error, aim, and a cross where it is missed."""
        shown = f"{self.mean:.3f} ± {self.error:.3f}"
        return shown if self.target is None else f"{shown} / {self.target:.3f}{'' if self.reached else ' ✗'}"


def cells(aim: Aim, found: Sequence[Found]) -> list[Cell]:
    """AUROC, APGR, calls and ECE beside their aims."""
    limit = float(np.mean([one.limit for one in found]))
    named = (("auroc", aim.auroc, True), ("apgr", aim.apgr, True), ("calls95", aim.calls95, False), ("ece", limit, False))
    return [_cell(name, [getattr(one, name) for one in found], target, least) for name, target, least in named]


def _cell(name: str, values: Sequence[float], target: float | None, least: bool) -> Cell:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return Cell(name, float(np.mean(values)), error, target, least)


def line_of(aim: Aim, found: Sequence[Found], *, markdown: bool) -> str:
    """One row of the table."""
    if markdown:
        options = " ".join(aim.options) or "-"
        fixed = (aim.pair, options, f"{len(found)} x {np.mean([one.n for one in found]):.0f}")
        return f"| {' | '.join([*fixed, *(cell.markdown() for cell in cells(aim, found))])} |"
    head = f"{aim.pair:16} {' '.join(aim.options):32}"
    return "  ".join([head, *map(str, cells(aim, found)), f"{np.mean([one.seconds for one in found]):.0f} s a fit"])


def held_out(lines: Sequence[str], keys: Sequence[str], max_error: float, confidence: float) -> Judged:
    """The records that a fit on 40 % of the questions did not see, as it judges them."""
    options = ["--max-error", str(max_error), "--confidence", str(confidence)]
    with TemporaryDirectory() as name:
        fit_on, rest = next(splits(lines, keys, 1, share=0.6))
        result = judged(Path(name), rest, fitted(Path(name), fit_on, options), Tiers())
    return Judged(result.order, result.wrong, result.keys)


def _records(data: Path, only: Sequence[str], aims: Iterable[Aim]) -> list[Aim]:
    return [aim for aim in aims if (data / f"{aim.pair}.jsonl").is_file() and (not only or aim.pair in only)]


def main() -> None:
    """Print a row a set as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of replay records")
    parser.add_argument("--splits", type=int, default=5, help="random splits by question; default: %(default)s")
    parser.add_argument("--only", nargs="*", default=[], metavar="PAIR", help="these sets only")
    parser.add_argument("--markdown", action="store_true", help="rows of a table in Markdown")
    parser.add_argument("--agreement", action=argparse.BooleanOptionalAction, default=None, help="only the fits with it, or without it")
    parser.add_argument("--promise", action="store_true", help="the check of the certified bound, over 200 splits of each set")
    parser.add_argument("--max-error", type=float, default=0.1, help="for --promise; default: %(default)s")
    parser.add_argument("--confidence", type=float, default=0.9, help="for --promise; default: %(default)s")
    options = parser.parse_args()
    aims = _records(options.data, options.only, AIMS)
    if not aims:
        raise SystemExit(f"{options.data}: none of {', '.join(sorted({aim.pair for aim in AIMS}))} is there")
    if options.promise:
        for pair in dict.fromkeys(aim.pair for aim in aims):
            target = options.max_error, options.confidence
            found = promises(held_out(*load(options.data, pair), *target), *target)
            for kind, counted in found.items():
                told = json.dumps({name: round(value, 3) for name, value in counted.items()})
                print(f"{pair:16} {kind:5} {told}", flush=True)
        return
    for aim in aims:
        if options.agreement is None or options.agreement == ("--agreement" in aim.options):
            found = list(measured(aim, *load(options.data, aim.pair), options.splits))
            print(line_of(aim, found, markdown=options.markdown), flush=True)


if __name__ == "__main__":
    main()
