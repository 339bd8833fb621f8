"""The size of the trees: the one with the least held-out loss, the smaller one of equals."""

import numpy as np
import pytest
from numpy.typing import NDArray

from router.calibration.choosing import SIZES, Part, Task, choose, parts, told

ROWS = 2000
GENERATOR = np.random.default_rng(0)
SIGNAL = GENERATOR.normal(size=ROWS)
HAPPENED = GENERATOR.random(ROWS) < 1 / (1 + np.exp(-2 * SIGNAL))
EACH, WEIGHTS = np.arange(ROWS), np.ones(ROWS)
ALL = {part for size in SIZES for part in parts(size)}


def task(noise: dict[int, float], scale: float = 1.0) -> Task:
    """Scores of every ensemble: the signal, blurred by as much as its randomised trees of so many leaves deserve."""
    blur = np.random.default_rng(1).normal(size=ROWS)
    return Task({part: scale * (SIGNAL + noise.get(part.leaves, 0.0) * blur) for part in ALL}, HAPPENED)


def test_of_equal_sizes_the_smallest_is_taken() -> None:
    assert choose([task({})], EACH, WEIGHTS).size == SIZES[0]


def test_a_larger_size_is_taken_where_it_is_clearly_better() -> None:
    choice = choose([task({32: 2.0, 8: 2.0, 15: 2.0})], EACH, WEIGHTS)
    assert choice.size.randomised == 64
    assert [one.size for one in choice.tried] == list(SIZES)
    assert [one.over for one in choice.tried if one.size == choice.size] == [0.0]
    assert choice.tried[0].over > choice.tried[0].error > 0


def test_rows_of_one_question_count_as_one_when_the_error_is_estimated() -> None:
    copies = np.repeat(np.arange(ROWS // 20), 20)
    scores = {part: np.repeat(scores[::20], 20) for part, scores in task({32: 0.4}).scores.items()}
    alike = Task(scores, np.repeat(HAPPENED[::20], 20))
    together, apart = choose([alike], copies, WEIGHTS).tried[0], choose([alike], EACH, WEIGHTS).tried[0]
    assert together.error == pytest.approx(20**0.5 * apart.error, rel=0.02)


def test_the_scale_of_the_scores_does_not_matter_but_all_tasks_and_weights_do() -> None:
    one, other = task({32: 2.0}), task({32: 2.0}, scale=5.0)
    assert [tried.over for tried in choose([one], EACH, WEIGHTS).tried] == pytest.approx(
        [tried.over for tried in choose([other], EACH, WEIGHTS).tried], abs=1e-4
    )
    both = choose([one, task({})], EACH, WEIGHTS)
    assert both.tried[0].over == pytest.approx(choose([one], EACH, WEIGHTS).tried[0].over, abs=1e-4)
    weights: NDArray[np.float64] = np.where(EACH < ROWS // 2, 2.0, 0.0)
    assert choose([one], EACH, weights).tried[0].loss != choose([one], EACH, WEIGHTS).tried[0].loss


def test_labels_that_are_all_alike_choose_the_smallest() -> None:
    alike = Task(task({}).scores, np.ones(ROWS, dtype=np.bool_))
    assert choose([alike], EACH, WEIGHTS).size == SIZES[0]


def test_the_sizes_rise_and_the_line_of_progress_names_them() -> None:
    work = [size.trees * (size.randomised + size.boosted) for size in SIZES]
    assert work == sorted(work)
    assert parts(SIZES[2]) == (Part("boosted", 8, 100), Part("randomised", 32, 100))
    line = told(choose([task({})], EACH, WEIGHTS))
    assert line.startswith("trees: 50x32 (held-out loss: 50x32 0.")
    assert "100x32+8 0." in line
