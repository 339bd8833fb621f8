import math
import random
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.calibration.betting import Bets
from router.calibration.drift import Reference, calibration_error, drift
from router.calibration.tightened import Tightened
from router.calibration.watching import ESCALATE_ALL, Label, Limits, State, Target, fold, tighten
from router.types import Choice, Draft, Evidence, GenerationRequest, Ruling, Verdict

TARGET = Target(0.1, 0.9)


def stream(error: float, count: int, seed: int, **given: float) -> list[Label]:
    draw = random.Random(seed)
    return [Label(float(draw.random() < error), confidence=draw.uniform(0.8, 1.0), **given) for _ in range(count)]


def bets(wrong: int, right: int) -> Bets:
    return Bets({(1.0, 1.0): wrong, (1.0, 0.0): right})


def test_no_label_says_nothing() -> None:
    assert (Bets().lower(0.05), Bets().upper(0.05)) == (0.0, 1.0)
    assert State().error is None
    assert State().calibration_error is None
    assert tighten(State(), TARGET) is None


def test_the_bounds_close_in_on_the_error_as_labels_come() -> None:
    widths = [bets(n // 20, n - n // 20).upper(0.05) - bets(n // 20, n - n // 20).lower(0.05) for n in (40, 400, 4000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.03
    assert bets(200, 3800).lower(0.05) < 0.05 < bets(200, 3800).upper(0.05)


def test_labels_outside_their_range_are_refused() -> None:
    for value, share in ((1.1, 1.0), (-0.1, 1.0), (0.0, 0.0), (0.0, 1.1), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="bet"):
            Bets().add(value, share)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1)), min_size=1, max_size=30), st.floats(0.01, 0.2))
def test_the_bounds_enclose_the_weighted_mean_and_are_monotone(labels: list[tuple[float, float]], delta: float) -> None:
    found = Bets()
    for value, share in labels:
        found = found.add(value, share)
    assert found.mean is not None
    assert found.lower(delta) <= found.mean + 1e-9
    assert found.upper(delta) >= found.mean - 1e-9
    assert found.log_capital_below(0.3) <= found.log_capital_below(0.6) + 1e-9
    assert found.log_capital_above(0.6) <= found.log_capital_above(0.3) + 1e-9


def test_the_upper_bound_is_broken_in_at_most_delta_of_the_runs_however_often_one_looks() -> None:
    error, runs, delta = 0.08, 150, 0.1
    broken = 0
    for seed in range(runs):
        draw, found = random.Random(seed), Bets()
        for _ in range(300):
            found = found.add(float(draw.random() < error))
            if found.log_capital_below(error) >= -math.log(delta):
                broken += 1
                break
    assert broken / runs <= delta + 3 * math.sqrt(delta * (1 - delta) / runs)


def test_looking_at_a_fixed_sample_bound_after_every_label_breaks_it_far_more_often() -> None:
    """What the betting bound is for: the usual interval, looked at again and again, is no bound at all."""
    error, runs, delta = 0.08, 200, 0.1
    broken = 0
    for seed in range(runs):
        draw, wrong = random.Random(seed), 0
        for n in range(1, 401):
            wrong += draw.random() < error
            if n >= 30 and wrong / n + 1.28 * math.sqrt(max(wrong / n * (1 - wrong / n), 1e-3) / n) < error:
                broken += 1
                break
    assert broken / runs > 2 * delta


def test_unequal_weights_keep_the_promise_of_the_weighted_error() -> None:
    """Wrong answers are labelled four times as often as right ones are; their weights make up for it."""
    error, runs, delta = 0.08, 100, 0.1
    broken = 0
    for seed in range(runs):
        draw, found = random.Random(seed), Bets()
        for _ in range(800):
            doubtful = draw.random() < 0.25
            wrong = draw.random() < (0.26 if doubtful else 0.02)
            rate = 0.8 if doubtful else 0.2
            if draw.random() < rate:
                found = found.add(float(wrong), 0.2 / rate)
                if found.log_capital_below(error) >= -math.log(delta):
                    broken += 1
                    break
    assert broken / runs <= delta + 3 * math.sqrt(delta * (1 - delta) / runs)


def test_a_route_that_keeps_its_promise_is_rarely_tightened() -> None:
    runs = 60
    tripped = sum(fold(State(limits=Limits(window=200)), stream(0.1, 600, seed), TARGET)[1] for seed in range(runs))
    assert tripped / runs <= TARGET.delta + 3 * math.sqrt(TARGET.delta * 0.9 / runs)


def test_a_route_that_turns_bad_late_is_caught() -> None:
    limits = Limits(window=200)
    for seed in range(10):
        labels = stream(0.02, 1000, seed) + stream(0.35, 200, seed + 99)
        state, tripped = fold(State(limits=limits), labels[:1000], TARGET)
        assert not tripped
        state, tripped = fold(state, labels[1000:], TARGET)
        assert tripped
        assert tighten(state, TARGET, tripped=tripped) is not None


def test_the_safer_threshold_is_the_lowest_that_the_labels_vouch_for() -> None:
    draw = random.Random(0)
    confidences = [draw.uniform(0.5, 1.0) for _ in range(900)]
    labels = [Label(float(c < 0.7 and draw.random() < 0.6), confidence=c) for c in confidences]
    state, tripped = fold(State(limits=Limits(window=2000)), labels, TARGET)
    change = tighten(state, TARGET, tripped=tripped)
    assert change is not None
    assert change.cause == "error"
    assert 0.6 < change.floor < 0.75


def test_where_nothing_vouches_everything_escalates_and_that_is_the_end() -> None:
    state, tripped = fold(State(), stream(0.5, 200, 1), TARGET)
    change = tighten(state, TARGET, tripped=tripped)
    assert change is not None
    assert change.floor == ESCALATE_ALL
    assert tighten(state, TARGET, change.floor, tripped=True) is None


def test_labels_that_were_not_drawn_at_random_say_nothing_of_the_kept_error() -> None:
    state, tripped = fold(State(), [replace(label, counts=False) for label in stream(0.9, 200, 3)], TARGET)
    assert not tripped
    assert (state.labels, state.upper(TARGET)) == (0, 1.0)
    assert state.calibration_error is not None


def test_drafts_that_were_not_kept_say_nothing_of_the_kept_error() -> None:
    state, tripped = fold(State(), [replace(label, kept=False) for label in stream(0.9, 200, 3)], TARGET)
    assert not tripped
    assert state.labels == 0


def test_the_same_scores_do_not_drift_and_others_do() -> None:
    draw = random.Random(5)
    old = [draw.betavariate(8, 2) for _ in range(2000)]
    reference = Reference.of(old, {"a"})
    same = drift(reference, [draw.betavariate(8, 2) for _ in range(1000)], ["a"] * 10)
    other = drift(reference, [draw.betavariate(3, 3) for _ in range(1000)], ["a", "b"])
    assert same is not None
    assert other is not None
    assert same.psi < 0.05 < 0.25 < other.psi
    assert same.p_value > 0.01 > other.p_value
    assert (same.unseen, other.unseen) == (0.0, 0.5)


def test_many_drafts_that_score_alike_do_not_drift_because_another_model_scores_them_a_little_apart() -> None:
    draw = random.Random(0)
    spread = [draw.uniform(0.1, 0.9) for _ in range(400)]
    reference = Reference.of([*spread, *[0.975 + 0.01 * draw.random() for _ in range(600)]])
    served = drift(reference, [*spread, *[0.99] * 600])
    assert served is not None
    assert served.psi < 0.02
    assert served.p_value > 0.5
    doubted = drift(reference, [*spread, *[0.92] * 600])
    assert doubted is not None
    assert doubted.psi > 0.25
    assert doubted.p_value < 1e-6


def test_scores_of_one_value_only_are_no_drift_and_no_error() -> None:
    found = drift(Reference.of([0.5] * 100), [0.5] * 400)
    assert found is not None
    assert (found.psi, found.ks) == (0.0, 0.0)
    for other in (0.4, 0.6):
        moved = drift(Reference.of([0.5] * 100), [other] * 400)
        assert moved is not None
        assert (moved.psi > 0.25, moved.ks) == (True, 1.0)
    assert drift(Reference.of([0.5]), []) is None
    with pytest.raises(ValueError, match="values"):
        Reference.of([])


def test_a_drift_that_no_label_vouches_against_keeps_the_confident_half_and_then_nothing() -> None:
    reference = Reference.of([0.99] * 50 + [0.95] * 50)
    state, _ = fold(State(), stream(0.0, 10, 7), TARGET)
    state = state.seen(reference, [0.6] * 400)
    first = tighten(state, TARGET)
    assert first is not None
    assert first.cause == "drift"
    assert 0.8 < first.floor < 1.0
    second = tighten(state, TARGET, first.floor)
    assert second is not None
    assert second.floor == ESCALATE_ALL


def test_a_drift_that_the_labels_vouch_against_changes_nothing() -> None:
    state, _ = fold(State(), stream(0.0, 400, 7), TARGET)
    state = state.seen(Reference.of([0.99] * 50 + [0.95] * 50), [0.6] * 400)
    assert state.drifted
    assert tighten(state, TARGET) is None


def test_the_calibration_error_weighs_labels_by_how_rare_they_were() -> None:
    assert calibration_error([0.9] * 10, [1.0] * 9 + [0.0], [1.0] * 10, bins=1) == pytest.approx(0.0)
    assert calibration_error([0.9] * 10, [1.0] * 9 + [0.0], [1.0] * 9 + [91.0], bins=1) == pytest.approx(0.81)
    assert calibration_error([], [], []) is None


class Sure:
    kind = "confidence"
    needs = Evidence.LOGPROBS

    def __init__(self, confidence: float | None, ruling: Ruling = Ruling.ACCEPT) -> None:
        self.verdict = Verdict("confidence", ruling, confidence=confidence)

    async def judge(self, draft: Draft) -> Verdict:  # noqa: ARG002
        return self.verdict


@pytest.mark.parametrize(
    ("inner", "floor", "ruling"),
    [
        (Sure(0.9), 0.0, Ruling.ACCEPT),
        (Sure(0.9), 0.9, Ruling.ACCEPT),
        (Sure(0.9), 0.91, Ruling.DEFER),
        (Sure(0.9), ESCALATE_ALL, Ruling.DEFER),
        (Sure(None, Ruling.UNABLE), ESCALATE_ALL, Ruling.UNABLE),
        (Sure(None, Ruling.NOT_APPLICABLE), 0.5, Ruling.NOT_APPLICABLE),
        (Sure(None, Ruling.NOT_APPLICABLE), ESCALATE_ALL, Ruling.DEFER),
        (None, 0.5, Ruling.NOT_APPLICABLE),
        (None, ESCALATE_ALL, Ruling.DEFER),
    ],
)
async def test_a_floor_only_ever_makes_a_verdict_safer(inner: Sure | None, floor: float, ruling: Ruling) -> None:
    draft = Draft(GenerationRequest("r", "auto", ()), "small", Choice("x", "stop"))
    assert (await Tightened(lambda: floor, inner).judge(draft)).ruling is ruling


def test_a_look_imports_nothing_for_that_would_hold_up_the_requests() -> None:
    looked = (
        "import sys; from router.calibration.drift import Reference, drift; before = set(sys.modules);"
        "drift(Reference.of([0.1, 0.5, 0.9]), [0.2, 0.8]); print(sorted(set(sys.modules) - before))"
    )
    assert subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True).stdout == "[]\n"
