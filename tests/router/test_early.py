"""When a running draft is given up."""

import pytest

from router.contract import choice, text
from router.early import Early, Watch
from router.types import Chunk, Contract, Evidence, Token

FORM = choice(["yes", "no"])


def unsure(count: int = 1, logprob: float | None = -3.0, *, free: bool | None = None) -> Chunk:
    return Chunk(text="w" * count, tokens=(Token("w", logprob, free=free),) * count)


def fed(early: Early, *chunks: Chunk, contract: Contract = text()) -> list[str | None]:
    watch = Watch(early, contract)
    return [found.deferral if (found := watch.feed(chunk)) else None for chunk in chunks]


def test_a_lost_form_is_given_up_without_any_limit() -> None:
    assert fed(Early(), Chunk(text="y"), Chunk(text="x"), contract=FORM) == [None, "contract"]


def test_a_mean_under_the_limit_is_given_up_once_enough_tokens_came() -> None:
    assert fed(Early(limit=-1, after=3), unsure(), unsure(), unsure()) == [None, None, "confidence"]


def test_a_sure_draft_runs_on() -> None:
    assert fed(Early(limit=-1, after=1), *[unsure(logprob=-0.5)] * 5) == [None] * 5


@pytest.mark.parametrize("chunk", [unsure(9, free=False), unsure(9, None), Chunk(text="no details")])
def test_what_says_nothing_of_doubt_is_not_held_against_a_draft(chunk: Chunk) -> None:
    assert fed(Early(limit=-1, after=1), chunk) == [None]


def test_sure_tokens_make_up_for_an_unsure_one() -> None:
    assert fed(Early(limit=-1, after=4), unsure(3, -0.1), unsure(1, -3.0)) == [None, None]


def test_one_token_too_many_is_given_up() -> None:
    assert fed(Early(tokens=3), unsure(2), unsure(), unsure()) == [None, "length", "length"]


def test_a_draft_that_ends_with_its_last_permitted_token_is_whole() -> None:
    ending = Chunk(text="w", tokens=(Token("w"),), finish_reason="stop")
    assert fed(Early(tokens=3), unsure(2), ending) == [None, None]


def test_a_chunk_without_details_counts_as_one_token() -> None:
    assert fed(Early(tokens=2), Chunk(text="a few words"), Chunk(text="more")) == [None, "length"]


def test_pieces_that_came_together_count_as_many() -> None:
    assert fed(Early(tokens=4), Chunk(text="one two three", pieces=3), Chunk(reasoning="four", pieces=1)) == [None, "length"]


@pytest.mark.parametrize(
    ("early", "form", "watched"),
    [(Early(), text(), False), (Early(), FORM, True), (Early(limit=-1), text(), True), (Early(tokens=9), text(), True)],
)
def test_what_cannot_be_given_up_is_not_watched(early: Early, form: Contract, watched: bool) -> None:
    assert early.watches(form) is watched


def test_only_a_limit_needs_log_probabilities() -> None:
    assert (Early(tokens=3).needs, Early(limit=-1).needs) == (Evidence.NONE, Evidence.LOGPROBS)
