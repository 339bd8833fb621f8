"""Heads evaluated together say what each says alone."""

import math

import pytest

from router.calibration.linear import Head, HeadSet, buckets

SMALL = Head(("words", "digits"), (2.0, 0.1), (1.0, 0.5), (0.3, -1.0), (0.5, -0.25, 0.0, 1.0), 0.1)
LARGE = Head(("words", "digits"), (2.0, 0.1), (1.0, 0.5), (0.1, 0.2), (), -0.4)
ANSWERED = Head(("words", "digits"), (2.0, 0.1), (1.0, 0.5), (0.0, 0.0), tuple(float(value) for value in range(8)), 0.0)
PLAIN, CROSSED = ["set", "alarm", "set alarm"], ["=set_alarm set", "=set_alarm alarm"]


@pytest.mark.parametrize("found", [{"words": 3.0, "digits": 0.4}, {"words": 900.0}, {"digits": math.nan}, {}])
def test_a_set_of_heads_says_what_each_head_says(found: dict[str, float]) -> None:
    said = HeadSet.of((SMALL, LARGE), ANSWERED).scores(found, PLAIN + CROSSED)
    assert said["head_small"] == pytest.approx(SMALL.score(found, PLAIN))
    assert said["head_large"] == pytest.approx(LARGE.score(found, PLAIN))
    assert HeadSet.of((SMALL, LARGE), ANSWERED).before(found, PLAIN) == pytest.approx(SMALL.score(found, PLAIN))
    assert said["head_answered"] == pytest.approx(ANSWERED.score(found, PLAIN + CROSSED))


def test_the_head_on_the_answer_is_silent_where_nothing_was_answered() -> None:
    assert set(HeadSet.of((SMALL, None), ANSWERED).scores({}, PLAIN)) == {"head_small"}
    assert HeadSet.of(None, None).scores({}, PLAIN) == {}


def test_words_share_buckets_so_that_none_identifies_a_request() -> None:
    assert len(buckets(map(str, range(1000)), 16)) == 16


def test_heads_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="heads"):
        HeadSet.of((SMALL, Head(("words",), (0.0,), (1.0,), (1.0,), (), 0.0)), None)
