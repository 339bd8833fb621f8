"""What is compiled says what the plain functions say, to the last bit, of anything that may come."""

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import compiled
from router.calibration import answered, asked, doubt, features, grounding, linear, words
from router.calibration.features import rounded
from router.calibration.offer import offer
from router.calibration.reading import Call, Reading, read
from router.calibration.stored import Ensemble
from router.calibration.trees import Forests, Tree
from router.compiled import PLAIN, built
from router.scores import tokens as scored
from router.types import Alternative, Draft, Message, Part, Token
from server.api import render
from server.engines.openai import freedom, logprobs
from server.engines.openai.answers import Other, Position
from server.engines.openai.flavours import Mask
from tests.router.calibration.drafts import drafts

HERE = pytest.mark.skipif(built("texts") is None, reason="nothing was compiled at installation")
SIGNS = "abYZ09.,;!?()[]{}'\"-_ \t\n\x0b\x1c\x85\u2003"
SIGNS += "\u2019\u2018\u201c\u201d\u0660\u0969\u00b2\u00bd\u2160\u4e00\u00df\u0130\u0301\u200d\U0001f600\ud83d"
TEXTS = st.one_of(
    st.text(SIGNS, max_size=60),
    st.text(max_size=40),
    st.lists(st.sampled_from(["The", "the", "Ann", "don't", "twenty", "1,250.50", "3", "Miramar's", "a_b", "of", "  ", "é", "SAN"])).map(
        " ".join
    ),
)
NUMBERS = st.one_of(st.none(), st.floats(-30, 0), st.sampled_from([0.0, -0.0, -math.inf, math.nan, -1e-9]))
OTHERS = st.lists(st.builds(Alternative, st.sampled_from(["a", "b", "c"]), st.floats(-40, 0) | st.just(-math.inf)), max_size=4).map(tuple)
TOKENS = st.lists(
    st.builds(Token, st.sampled_from(["a", "b", '"k":', "7", "{"]), NUMBERS, NUMBERS, st.sampled_from([True, False, None]), OTHERS, OTHERS),
    max_size=6,
).map(tuple)
LEAVES = st.one_of(TEXTS, st.integers(-50, 2000), st.floats(), st.booleans(), st.none(), st.just(10**400))
ARGUMENTS = st.dictionaries(
    st.sampled_from(["time", "label", "days", "city", "x"]),
    LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(st.text(max_size=3), LEAVES, max_size=2),
)


def test_where_there_is_a_compiler_everything_is_compiled() -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here")
    assert {name for name in PLAIN if built(name.partition(".")[0]) is None} == set()


def test_what_was_built_of_other_sources_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "texts.pyx").write_text("def stems(found): ...")
    assert not compiled._fresh(tmp_path)
    (tmp_path / "sources.sha256").write_text(compiled.sources(tmp_path))
    assert compiled._fresh(tmp_path)
    (tmp_path / "texts.pyx").write_text("def stems(found, longest): ...")
    assert not compiled._fresh(tmp_path)


def same(one: object, other: object) -> bool:
    """Equal with the kinds of the numbers and the order of keys; NaN is itself."""
    return repr(one) == repr(other)


def outcome(function: Callable[..., Any], *given_: Any) -> object:
    """What it returns, or the kind of error that it raises."""
    try:
        return function(*given_)
    except (OverflowError, ValueError) as error:
        return type(error)


@HERE
@given(TEXTS)
def test_words_and_numbers_of_a_text(text: str) -> None:
    for function in (words.spoken, words.digits, asked.names):
        assert function(text) == PLAIN[f"texts.{function.__name__}"](text)
    assert words.stems(words.spoken(text)) == PLAIN["texts.stems"](words.spoken(text))


@HERE
@given(TEXTS)
def test_features_of_a_text(text: str) -> None:
    said = asked.said(text)
    assert same(asked.text_features(text, said, 1, 2), PLAIN["texts.text_features"](text, said, 1, 2))


TURNS = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXTS), max_size=3).map(tuple)


@HERE
@given(TURNS, st.sampled_from(list(drafts())))
def test_a_request_taken_apart(turns: asked.Turns, draft: Draft) -> None:
    for _, text in turns:
        assert asked.apart(text) == PLAIN["texts.apart"](text)
    contract = draft.request.contract
    assert same(asked.taken_apart(turns, contract), PLAIN["texts.taken_apart"](turns, contract))


@HERE
@given(st.sampled_from(list(drafts())), TEXTS)
def test_features_of_a_request(draft: Draft, text: str) -> None:
    request = replace(draft.request, messages=(*draft.request.messages, Message("user", (Part("text", text),))))
    known = asked.asked(request)
    assert same(asked.request_features(request, known), PLAIN["texts.request_features"](request, known))
    assert same(asked.request_features(request), PLAIN["texts.request_features"](request))


@HERE
@given(st.sampled_from(list(drafts())), TEXTS, TOKENS)
def test_all_features_of_a_draft(draft: Draft, text: str, tokens: tuple[Token, ...]) -> None:
    for answer in (draft.choice.text, text):
        draft = replace(draft, choice=replace(draft.choice, text=answer, tokens=tokens))
        known, reading = asked.asked(draft.request), read(draft.request.contract, draft.choice)
        for function in (answered.gathered, answered.answer_features):
            assert same(outcome(function, draft, known, reading), outcome(PLAIN[f"answered.{function.__name__}"], draft, known, reading))
        assert same(answered.answer_features(draft), PLAIN["answered.answer_features"](draft))


CUES = (words.CONJUNCTION, words.CORRECTION, words.NEGATION, words.RELATIVE)
PHRASES = st.lists(st.sampled_from([*(phrase for cue in CUES for phrase in cue.phrases), "_", "'", "x", "2", "\u00e9", ";"]), max_size=9)


@HERE
@given(PHRASES, st.sampled_from(["", " ", "-"]), st.sampled_from(CUES))
def test_cues_in_a_text(said: list[str], between: str, cue: words.Cue) -> None:
    assert words.times(cue, between.join(said)) == PLAIN["texts.times"](cue, between.join(said))


@HERE
@given(st.sampled_from(list(drafts())), TEXTS)
def test_how_near_functions_are_to_the_words(draft: Draft, text: str) -> None:
    functions = offer(draft.request.contract).functions
    own = words.stems(words.words(text)) | words.stems(next(iter(functions.values())).described if functions else ())
    assert same(asked.overlaps(own, functions), PLAIN["texts.overlaps"](own, functions))


@HERE
@given(st.dictionaries(st.text(max_size=3), st.floats()))
def test_rows_of_features(found: dict[str, float]) -> None:
    with np.errstate(over="ignore"):
        assert same(rounded(found, 6), PLAIN["rows.rounded"](found, 6))


@HERE
@given(TOKENS)
def test_numbers_of_tokens(found: tuple[Token, ...]) -> None:
    for function in (scored.doubts, scored.weighed, scored.removed):
        assert same(outcome(function, found), outcome(PLAIN[f"tokens.{function.__name__}"], found))


@HERE
@given(TOKENS, st.sampled_from(list(drafts())))
def test_features_of_tokens(found: tuple[Token, ...], draft: Draft) -> None:
    draft = replace(draft, choice=replace(draft.choice, tokens=found))
    assert scored.meaningful(draft) == PLAIN["tokens.meaningful"](draft)
    assert same(outcome(doubt.token_features, draft), outcome(PLAIN["tokens.token_features"], draft))


@HERE
@pytest.mark.parametrize("draft", list(drafts()))
def test_grounding_of_drafts_as_they_come(draft: Draft) -> None:
    known, calls = asked.asked(draft.request), read(draft.request.contract, draft.choice).calls
    assert same(outcome(grounding.grounding_features, known, calls), outcome(PLAIN["grounding.grounding_features"], known, calls))


@HERE
@given(
    st.sampled_from(list(drafts())),
    TEXTS,
    st.lists(st.builds(Call, st.sampled_from(["set_alarm", "get_weather", "none"]), ARGUMENTS), max_size=3),
)
def test_grounding_of_whatever_was_answered(draft: Draft, text: str, calls: list[Call]) -> None:
    request = replace(draft.request, messages=(*draft.request.messages, Message("user", (Part("text", text),))))
    known = asked.asked(request)
    if calls:
        counted = Reading(tuple(calls), None, parsed=True)
        for function in (answered.call_features, answered.argument_features):
            assert same(function(known, counted), PLAIN[f"answered.{function.__name__}"](known, counted))
    assert same(outcome(grounding.grounding_features, known, calls), outcome(PLAIN["grounding.grounding_features"], known, calls))


def tree(chance: Random, splits: int) -> Tree:
    """Any shape; splits are numbered as they are met, leaves from the left."""
    left, right = [0] * splits, [0] * splits
    free, leaf = count(1), count(1)

    def grown(size: int) -> int:
        return build(next(free), size) if size else -next(leaf)

    def build(node: int, size: int) -> int:
        smaller = chance.randrange(size)
        left[node], right[node] = grown(smaller), grown(size - 1 - smaller)
        return node

    if splits:
        build(0, splits)
    features, missing = [chance.randrange(4) for _ in left], [chance.random() < 0.5 for _ in left]
    values = [chance.gauss() for _ in range(2 * splits + 1)]
    return Tree(tuple(features), tuple(values[:splits]), tuple(missing), tuple(left), tuple(right), tuple(values[splits:]))


@HERE
@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.lists(st.floats(-3, 3) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=4))
def test_sums_of_trees(seed: int, row: list[float]) -> None:
    chance = Random(seed)
    kinds = [tree(chance, splits) for splits in (0, 1, 5, 40, 63)]
    ensembles = [Ensemble(tuple(chance.choices(kinds, k=chance.randrange(300))), chance.gauss(), mean=place == 1) for place in range(3)]
    forests, found = Forests.of(ensembles, range(4)), dict(enumerate(row))
    assert same(forests.log_odds(found), forests.plain(found))


PIECES = st.sampled_from(["a", "ab", '"', '\\"', "\\", " ", "\n ", "{", '":', "", "\u2003x", "b"])
TOLD = st.one_of(st.none(), st.floats(-12, 0), st.sampled_from([0.0, 5e-4, 0.5, -9000.0, -9999.0, -math.inf, math.inf, math.nan]))
POSITIONS = st.lists(
    st.builds(Position, PIECES, TOLD, st.none() | st.lists(st.builds(Other, PIECES, TOLD), max_size=4).map(tuple)), max_size=6
)


@HERE
@given(POSITIONS, st.booleans(), st.sampled_from([None, "before", "after"]))
def test_tokens_of_positions(positions: list[Position], constrained: bool, mask: Mask | None) -> None:
    assert same(logprobs.taken(positions, constrained, mask), PLAIN["positions.taken"](positions, constrained, mask))


@HERE
@given(POSITIONS, st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_freedom_of_tokens(positions: list[Position], json: bool, within: bool, escaped: bool, final: bool) -> None:
    held = list(logprobs.taken(positions, True, "after"))
    assert same(freedom.fed(held, json, within, escaped, final), PLAIN["positions.fed"](held, json, within, escaped, final))


@HERE
@given(TOKENS, st.integers(0, 3))
def test_log_probabilities_as_the_client_gets_them(found: tuple[Token, ...], top: int) -> None:
    assert same(render.logprobs(found, top), PLAIN["positions.logprobs"](found, top))


@HERE
@given(POSITIONS, st.integers(0, 6), st.integers(0, 6), TEXTS)
def test_tokens_within_a_text(positions: list[Position], first: int, last: int, other: str) -> None:
    found = tuple([Token(position.token) for position in positions])
    for text in ("".join([token.text for token in found[first:last]]), other):
        assert same(logprobs.within(found, text), PLAIN["positions.within"](found, text))


WORDS = st.lists(TEXTS.filter(bool), max_size=9)
NUMBER = st.floats(-9, 9) | st.floats(allow_nan=False, allow_infinity=False)
FOUND = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats())


@st.composite
def heads(draw: st.DrawFn) -> linear.HeadSet:
    """Heads of three features; those of the same means and scales share them."""
    sizes = st.sampled_from([((0.0, 1.0, -2.0), (1.0, 0.5, 3.0)), ((0.1, 0.2, 0.3), (2.0, 1.0, 1e-3))])

    def head() -> linear.Head:
        hashed = draw(st.lists(NUMBER, max_size=7).map(tuple))
        return linear.Head(("a", "b", "c"), *draw(sizes), draw(st.tuples(NUMBER, NUMBER, NUMBER)), hashed, draw(NUMBER))

    return linear.HeadSet.of((head(), head()), head() if draw(st.booleans()) else None)


@HERE
@given(WORDS, st.integers(0, 5))
def test_what_heads_see_of_words(said: list[str], most: int) -> None:
    grams = features.grams_of(said)
    assert grams == PLAIN["heads.grams_of"](said)
    assert features.crossed(grams, "=tag ", most) == PLAIN["heads.crossed"](grams, "=tag ", most)


@HERE
@given(heads(), FOUND, WORDS, st.booleans())
def test_what_heads_say(known: linear.HeadSet, found: dict[str, float], said: list[str], beside: bool) -> None:
    said = [word for word in said if word.isprintable()]  # half a character has no bytes
    grams = features.grams_of(said)
    every = features.crossed(grams, "=tag ", 3) if beside else grams
    plain = replace(known)
    object.__setattr__(plain, "_quick", None)
    assert same(outcome(known.scores, found, every), outcome(plain.scores, found, every))
    assert same(outcome(known.before, found, grams), outcome(plain.before, found, grams))
