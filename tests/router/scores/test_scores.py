"""Raw scores: higher is less sure, `None` without evidence, forced tokens do not count."""

import math

import pytest

from router.ports import Score
from router.registry import scores
from router.types import Alternative, Choice, Contract, Draft, GenerationRequest, Message, Part, Token, Tool

TOOLS = Contract("tools", "t", tools=(Tool("set_alarm", {"type": "object", "properties": {"time": {"type": "string"}}}),))
ANSWER = '{"tool_calls":[{"name":"set_alarm","arguments":{"time":"7:30"}}]}'
REQUEST = GenerationRequest("r", "auto", (Message("user", (Part("text", "wake me at 7:30"),)),), TOOLS)
BY_LOGPROBS = ("mean", "total", "minimum", "quantile", "margin", "entropy")


def score(kind: str, **options: object) -> Score:
    built: Score = scores.build({"kind": kind, **options}, "score")
    return built


def token(text: str, p: float, *, free: bool | None = True, raw: float | None = None) -> Token:
    rest = Alternative("other", math.log(max(1e-6, 1 - p)))
    own = Alternative(text, math.log(p))
    return Token(text, math.log(p), None if raw is None else math.log(raw), free, (own, rest))


def draft(*tokens: Token, samples: tuple[str, ...] = (), text: str = ANSWER) -> Draft:
    return Draft(REQUEST, "small", Choice(text, "stop", tokens), tuple(Choice(sample, "stop") for sample in samples))


def test_every_score_is_found() -> None:
    assert set(scores.kinds()) >= {*BY_LOGPROBS, "removed", "agreement", "ungrounded"}


@pytest.mark.parametrize("kind", [*BY_LOGPROBS, "removed", "agreement"])
def test_a_score_without_its_evidence_is_unknown(kind: str) -> None:
    assert score(kind).measure(draft()) is None


@pytest.mark.parametrize("kind", BY_LOGPROBS)
def test_an_unsure_draft_scores_higher(kind: str) -> None:
    measure = score(kind).measure
    unsure, sure = measure(draft(token("7", 0.6), token("30", 0.7))), measure(draft(token("7", 0.99), token("30", 0.98)))
    assert unsure is not None
    assert sure is not None
    assert unsure > sure


@pytest.mark.parametrize("kind", BY_LOGPROBS)
def test_forced_tokens_say_nothing(kind: str) -> None:
    measure = score(kind).measure
    free = (token("7", 0.8), token("30", 0.9))
    assert measure(draft(*free)) == pytest.approx(measure(draft(token("{", 1.0, free=False), *free, token("}", 1.0, free=False))))


def test_raw_log_probabilities_are_preferred_to_masked_ones() -> None:
    assert score("minimum").measure(draft(token("7", 0.9, raw=0.3))) == pytest.approx(-math.log(0.3))


def test_only_a_log_probability_is_enough() -> None:
    plain = Token("7", math.log(0.5))
    assert score("mean").measure(draft(plain)) == pytest.approx(math.log(2))
    assert score("margin").measure(draft(plain)) is None


def test_where_freedom_is_unknown_keys_and_punctuation_are_left_out() -> None:
    pieces = ['{"', "time", '":', ' "', "7:30", '"}']
    tokens = tuple(Token(piece, math.log(0.5)) for piece in pieces)
    measured = score("total").measure(draft(*tokens))
    assert measured == pytest.approx(math.log(2))


def test_the_removed_probability_counts_forced_tokens_too() -> None:
    forced = Token("set_alarm", 0.0, math.log(0.1), free=False)
    assert score("removed").measure(draft(forced)) == pytest.approx(0.9)


def test_agreement_looks_at_structure_and_not_at_text() -> None:
    same = '{"tool_calls": [{"arguments": {"time": "7:30"}, "name": "set_alarm"}]}'
    other = '{"tool_calls":[{"name":"set_alarm","arguments":{"time":"8:15"}}]}'
    assert score("agreement").measure(draft(samples=(same,))) == 0.0
    measured = score("agreement").measure(draft(samples=(same, other)))
    assert measured is not None
    assert 0 < measured < 1


def test_an_invented_value_is_not_grounded() -> None:
    invented = ANSWER.replace("7:30", "noon sharp")
    measure = score("ungrounded").measure
    worse, better = measure(draft(text=invented)), measure(draft())
    assert worse is not None
    assert better is not None
    assert worse > better
    assert measure(draft(text='{"message":"no"}')) is None


@pytest.mark.parametrize("slot", ["first", "name", "all"])
def test_the_entropy_of_a_slot_looks_at_that_slot_only(slot: str) -> None:
    pieces = [token('{"name": "', 0.9), token("set_alarm", 0.6), token('"', 1.0, free=False), token("7", 0.75)]
    measured = score("entropy", slot=slot).measure(draft(*pieces))
    best = {"first": 0.9, "name": 0.6, "all": 0.6}[slot]
    assert measured == pytest.approx(-best * math.log(best) - (1 - best) * math.log(1 - best), abs=1e-4)


def test_a_quantile_lies_between_the_minimum_and_the_mean() -> None:
    tokens = tuple(token("x", p) for p in (0.2, 0.9, 0.95, 0.99, 0.99))
    lowest, middle = score("minimum").measure(draft(*tokens)), score("quantile", q=0.5).measure(draft(*tokens))
    assert lowest == pytest.approx(-math.log(0.2))
    assert middle == pytest.approx(-math.log(0.95))
