"""From labelled examples to an artifact: models of success, and thresholds with a bound on labels that they were not fitted on."""

from collections.abc import Sequence

from router.calibration.artifact import LEARNED, Artifact
from router.calibration.certifying import certificate, hopeless_below, raw_signals, signal, warnings
from router.calibration.examples import FEWEST, Example
from router.calibration.growing import FOLDS
from router.calibration.options import Options, Progress
from router.calibration.stored import Stored
from router.calibration.success import held_out
from router.errors import InvalidRequest


def fit(examples: Sequence[Example], options: Options, progress: Progress = lambda line: None) -> Artifact:
    """The artifact of the labelled examples; raises InvalidRequest where there are too few or their labels do not allow the objective."""
    _check(examples, options)
    model, scored, choice = held_out(examples, options, progress)
    progress("thresholds")
    learned = signal(examples, scored.places, scored.wrong, scored.order, options)
    signals = {LEARNED: learned} | dict(raw_signals(examples, options))
    stored = Stored(
        "smallfirst-calibration",
        1,
        certificate(examples, options, tuple(warnings(examples, signals, options))),
        model.features,
        model.parts,
        model.gain,
        model.heads.pair,
        hopeless_below(examples, scored, learned) if options.max_cost is None else None,
        signals,
        model.heads.answered,
        choice,
    )
    return Artifact.of(stored)


def _check(examples: Sequence[Example], options: Options) -> None:
    if len(examples) < FEWEST:
        raise InvalidRequest(f"{len(examples)} labelled records are too few to fit anything, at least {FEWEST} are needed")
    questions = len({one.label.key for one in examples})
    if questions < FOLDS:
        raise InvalidRequest(f"the records ask {questions} different questions, at least {FOLDS} are needed: no question is in two folds")
    if (options.objective == "gain" or options.loss == "regret") and any(one.label.large is None for one in examples):
        raise InvalidRequest("the order by gain and the loss by regret need the large tier's label on every record")
    if options.max_cost is not None and any(one.label.costs is None or one.label.large is None for one in examples):
        raise InvalidRequest("a target of cost needs the price of both tiers, and usage and label of both on every record")
