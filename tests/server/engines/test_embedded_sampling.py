"""Drawing a token, holding back stop sequences, decoding bytes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.types import Sampling
from server.engines.embedded.evidence import Drawn, log_softmax
from server.engines.embedded.sampling import Sampler
from server.engines.embedded.stops import Stops
from server.engines.embedded.tokens import TextStream

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
ALL = np.ones(4, np.bool_)


def drawn(sampling: Sampling, allowed=ALL, times: int = 4000) -> Counter[int]:
    sampler = Sampler(sampling, 4)
    return Counter(sampler.draw(LOGITS, allowed) for _ in range(times))


def test_temperature_nought_takes_the_likeliest_admissible_token() -> None:
    assert drawn(Sampling(), times=3) == {0: 3}
    assert drawn(Sampling(temperature=0.0), np.array([False, False, True, True]), times=3) == {2: 3}


def test_draws_follow_the_distribution() -> None:
    counts = drawn(Sampling(temperature=1.0, seed=1))
    assert [counts[i] / 4000 for i in range(4)] == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)


def test_the_mask_renormalises() -> None:
    counts = drawn(Sampling(temperature=1.0, seed=1), np.array([False, True, True, False]))
    assert counts[1] / 4000 == pytest.approx(2 / 3, abs=0.03)
    assert counts[0] == counts[3] == 0


def test_a_high_temperature_flattens() -> None:
    counts = drawn(Sampling(temperature=100.0, seed=1))
    assert min(counts.values()) > 800


@pytest.mark.parametrize(("top_p", "kept"), [(0.0, {0}), (0.4, {0}), (0.6, {0, 1}), (0.81, {0, 1, 2}), (1.0, {0, 1, 2, 3})])
def test_top_p_keeps_the_fewest_likeliest_tokens_that_make_it_up(top_p: float, kept: set[int]) -> None:
    assert set(drawn(Sampling(temperature=1.0, top_p=top_p, seed=2))) == kept


def test_bias_and_penalties_shift_the_logits() -> None:
    sampler = Sampler(Sampling(logit_bias=((3, 100.0),), presence_penalty=1.0, frequency_penalty=0.5), 4)
    sampler.count([0, 0])
    np.testing.assert_allclose(sampler.adjust(LOGITS) - LOGITS, [-2.0, 0.0, 0.0, 100.0], atol=1e-4)


def test_log_probabilities_sum_to_one() -> None:
    assert np.exp(log_softmax(np.array([[1e4, 0.0, -1e4], [1.0, 2.0, -np.inf]], np.float32))).sum(-1) == pytest.approx([1.0, 1.0])


@given(st.lists(st.text("abc", max_size=3), max_size=12), st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3))
def test_what_is_let_out_is_the_text_before_the_first_stop_sequence(pieces: list[str], sequences: list[str]) -> None:
    stops, out = Stops(tuple(sequences)), list[Drawn]()
    for piece in pieces:
        out += stops.feed(Drawn(0, piece))
        if stops.hit:
            break
    else:
        out += stops.rest()
    text, given_out = "".join(pieces), "".join(each.text for each in out)
    assert not any(sequence in given_out for sequence in sequences)
    assert text.startswith(given_out)
    assert stops.hit == any(sequence in text for sequence in sequences)
    if stops.hit:
        assert any(text[len(given_out) :].startswith(sequence) for sequence in sequences)
    else:
        assert given_out == text


@given(st.text(), st.integers(1, 3))
def test_bytes_become_whole_characters(text: str, size: int) -> None:
    text = text.encode("utf-8", "ignore").decode()
    data, stream = text.encode(), TextStream()
    pieces = [stream.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert "".join(pieces) == text
