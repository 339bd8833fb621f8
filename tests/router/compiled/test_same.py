"""What is compiled says what the plain functions say, to the last bit, of anything that may come."""

import json
import math
import pickle
import shutil
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import compiled
from router.calibration import answered, asked, doubt, features, grounding, linear, words
from router.calibration.features import written
from router.calibration.offer import offer
from router.calibration.reading import Call, read
from router.calibration.reading import Reading as Said
from router.calibration.stored import Ensemble
from router.calibration.trees import Forests, Tree
from router.compiled import PLAIN, built
from router.errors import EngineProtocolError
from router.scores import tokens as scored
from router.types import Alternative, Candidate, Contract, Draft, GenerationRequest, Message, Part, Token
from server.api import render
from server.engines.openai import freedom, logprobs, parsing
from server.engines.openai.logprobs import Reading
from server.engines.openai.parsing import parse
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
    except (IndexError, OverflowError, ValueError) as error:
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
        assert same(asked.said(text), PLAIN["texts.said"](text))
    offered = offer(draft.request.contract)
    assert same(asked.taken_apart(turns, offered), PLAIN["texts.taken_apart"](turns, offered))


@HERE
@given(st.lists(st.text("ab", max_size=9), max_size=30), st.sampled_from([0, 1, 5_990, 6_000, 7_000]))
def test_the_turns_of_a_conversation(texts: list[str], longer: int) -> None:
    messages = tuple(Message("user", (Part("text", text + "x" * longer),)) for text in texts)
    assert asked.turns_of(messages) == PLAIN["texts.turns_of"](messages)


@HERE
@given(st.lists(st.lists(st.sampled_from(["text", "image", "audio", "file"]), max_size=3), max_size=3))
def test_what_a_tier_must_read(kinds: list[list[Any]]) -> None:
    request = GenerationRequest("one", "auto", tuple(Message("user", tuple(map(Part, parts))) for parts in kinds))
    assert request.modalities == PLAIN["asked.modalities"](request)


@HERE
@pytest.mark.parametrize("made", ["something", None])
def test_what_is_made_of_a_contract_once(made: object) -> None:
    for once in (Contract.once, PLAIN["asked.once"]):
        contract, calls = Contract("regex", "a"), count()
        assert [once(contract, "it", lambda own, calls=calls: (made, own.text, next(calls)))[:2] for _ in range(2)] == [(made, "a")] * 2
        assert once(contract, "other", lambda own: made) is made
        assert once(contract, "other", lambda own: "again") is made
        assert next(calls) == 1
        with pytest.raises(ZeroDivisionError):
            once(contract, "broken", lambda own: 1 / 0)
        with pytest.raises(TypeError, match="unhashable"):
            once(contract, [], lambda own: made)


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
@given(st.dictionaries(st.text(max_size=3), st.floats() | st.integers(-(10**9), 10**9).map(float) | st.floats(-1e3, 1e3)))
def test_rows_of_features(found: dict[str, float]) -> None:
    with np.errstate(over="ignore"):
        assert same(json.loads(written(found, 6)), json.loads(PLAIN["rows.written"](found, 6)))


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
        counted = Said(tuple(calls), None, parsed=True)
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


PIECES = st.sampled_from(
    ["a", "ab", '"', '\\"', "\\", " ", "\n ", "{", '":', "", "\u2003x", "b", "\u00e9", "\u4e00\x00", "\U0001f600", "\ud83d"]
)
TOLD = st.one_of(
    st.none(),
    st.floats(-12, 0),
    st.floats(),
    st.integers(-(10**20), 10),
    st.sampled_from(
        [0.0, -0.0, 0, 5e-4, 0.5, 1e-3, -9000.0, -9999.0, -9999, -3.4028234663852886e38, -1e-323, -math.inf, math.inf, math.nan, "-1", True]
    ),
)
OTHER = st.fixed_dictionaries({"token": PIECES}, optional={"logprob": TOLD, "bytes": st.none() | st.just([1, "]"])})
POSITION = st.fixed_dictionaries(
    {"token": PIECES, "logprob": TOLD},
    optional={
        "bytes": st.none() | st.just({"a": ['"}', 1]}),
        "top_logprobs": st.none() | st.lists(OTHER, max_size=4),
        "x": PIECES,
        "\u00e9\n": TOLD,
    },
)
LOGPROBS = st.fixed_dictionaries({}, optional={"content": st.none() | st.lists(POSITION, max_size=5), "refusal": st.none(), "\\": TOLD})
MASKS = st.sampled_from([None, "before", "after"])


def body(given_: object, *, ascii_: bool = True, spaced: bool = True) -> bytes:
    """An answer with these log-probabilities."""
    separators = None if spaced else (",", ":")
    told = json.dumps({"choices": [{"logprobs": given_}]}, ensure_ascii=ascii_, separators=separators)
    return told.encode(errors="surrogatepass")


BODIES = st.builds(body, st.none() | LOGPROBS, ascii_=st.booleans(), spaced=st.booleans())


def taken(told: bytes | str, reading: Reading = Reading(constrained=False, mask=None)) -> object:
    """The tokens with their alternatives as plain tuples, or why there are none."""
    try:
        answer, found = parse(told, reading)
    except EngineProtocolError as error:
        return str(error)
    tokens = [[(*token[:4], plain(token.top), plain(token.masked_top)) for token in tokens] for tokens in found]
    return tokens, [msgspec.structs.replace(part, logprobs=None) for part in answer.choices or ()], answer.usage, answer.fault


def plain(others: Sequence[Candidate]) -> tuple[tuple[str, float], ...]:
    return tuple([(other.text, other.logprob) for other in others])


def alike(told: bytes | str, *reading: Any) -> bool:
    found = taken(told, *reading)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "apart", PLAIN["reading.apart"])
        return same(found, taken(told, *reading))


@HERE
@given(BODIES, st.builds(Reading, st.booleans(), MASKS, told=st.booleans()))
def test_tokens_of_an_answer(told: bytes, reading: Reading) -> None:
    assert alike(told, reading)


SPOILT = st.sampled_from(
    [b"", b"\xff", b"\xc3", b"\x01", b"\\", b"\\u12", b'"', b"0", b"-", b".", b"e5", b",", b":", b"{", b"}", b"]", b" ", b"null", b"NaN"]
)


@HERE
@given(BODIES, st.integers(0, 400), st.integers(0, 2), SPOILT)
def test_tokens_of_an_answer_that_was_spoilt_somewhere(told: bytes, at: int, gone: int, put: bytes) -> None:
    at %= len(told)
    assert alike(told[:at] + put + told[at + gone :])
    assert alike(told[:at])


@HERE
@pytest.mark.parametrize("digits", ["+123", " 12 ", "1_23", "0x1f", "00e9", "00E9", "d83d", "12"])
def test_an_escape_has_four_digits(digits: str) -> None:
    assert alike(f'{{"choices":[{{"logprobs":{{"content":[{{"token":"\\u{digits}"}}]}}}}]}}')


@HERE
@pytest.mark.parametrize("depth", [1, 2, 900, 10**6])
def test_what_is_nested_takes_no_more_room_than_it_has(depth: int) -> None:
    told = f'{{"choices":[{{"logprobs":{{"content":[{{"token":"a","bytes":{"[" * depth}{"]" * depth}}}]}}}}]}}'
    assert alike(told)


NUMBER = st.from_regex(r"-?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{0,3})?", fullmatch=True)
TEXT = st.from_regex(r"([a\xe9 ]|\\\\(u[0-9a-fA-F]{4}|ud83d|ude00|[\\\\/bfnrtux\"]))*", fullmatch=True)


@HERE
@given(NUMBER, NUMBER, TEXT, TEXT)
def test_numbers_and_texts_as_they_are_written(number: str, other: str, text: str, beside: str) -> None:
    top = f'[{{"token":"{beside}","logprob":{other}}},{{"logprob":-1,"token":"{text}"}}]'
    told = f'{{"choices":[{{"logprobs":{{"content":[{{"token":"{text}","logprob":{number},"top_logprobs":{top}}}]}}}}]}}'
    assert alike(told)
    assert alike(told.encode())


@HERE
@pytest.mark.parametrize(
    "content",
    [
        "{}", "[null]", "[[]]", '[{"logprob":-1}]', '[{"token":null}]', '[{"token":"a","token":"b"}]', '[{"token":"a","token":1}]',
        '[{"token":"a","logprob":-1,"logprob":null}]', '[{"token":"a","top_logprobs":[],"top_logprobs":[{"token":"b"}]}]',
        '[{"token":"a","top_logprobs":{}}]', '[{"token":"a","top_logprobs":[{"token":"b","top_logprobs":1}]}]', '[{"\\u0074oken":"a"}]',
        '[{"token":"a"}],"content":[{"token":"b"}]', '[{"token":"a"}],"content":null', '[{"token":"a","logprob":-0,"":0}]', "[],",
    ],
)  # fmt: skip
def test_shapes_that_servers_do_not_write(content: str) -> None:
    assert alike(f'{{"choices":[{{"logprobs":{{"content":{content}}}}}]}}')


@HERE
@pytest.mark.parametrize(
    "told",
    [
        '{"choices":[{"logprobs":5}]}', '{"choices":[{"logprobs":0,"logprobs":{}}]}', '{"choices":[{"logprobs":{}},{"logprobs":0}]}',
        '{"choices":[{"\\u006cogprobs":0}]}',
        '{"choices":[{"logprobs":{},"logprobs":{"content":[{"token":"a"}]}}]}',
        '{"choices":[{"logprobs":{"content":[{"token":"a"}]},"logprobs":null}]}', '{"choices":[{"message":{"logprobs":{"content":[]}}}]}',
        '{"error":{"message":{"logprobs":{"content":[]}}}}', '{"choices":[{"message":{"content":"\\"logprobs\\": {}"},"logprobs":{}}]}',
        '{"choices":[{"message":{"content":"logprobs"},"logprobs":{"content":[{"token":"a"}]}},{}]}',
        '"logprobs":{}', '"logprobs"', '{"logprobs',
        '{"choices":[{"logprobs":{"content":[{"token":"a"}]}},{"logprobs":null},{"logprobs":{"content":[{"token":"b"}]}}]}',
        '{"choices":[{"logprobs":{"content":[{"token":"a"}]}}',
        '{"choices":[{"logprobs":{"content":[{"token":"\\ud83d"}]}}]}',
    ],
)  # fmt: skip
def test_log_probabilities_in_any_place(told: str) -> None:
    assert alike(told)
    assert alike(told.encode())


@HERE
def test_what_servers_write_is_read_where_it_is_compiled() -> None:
    text = '\u00e9"\n'
    top = [
        {"token": text, "logprob": -9999.0, "bytes": [1]},
        {"token": "b", "logprob": -0.0002348990237805992},
        {"token": "", "logprob": None},
    ]
    told = body({"content": [{"token": text, "logprob": -1.5e-7, "bytes": None, "top_logprobs": top}], "refusal": None})
    found = logprobs.apart(told, True, "after")
    assert found is not None
    assert found[0] == b'{"choices": [{"logprobs": 0}]}'
    assert found[1] == [((text, -1.5e-7, None, False, (), (("b", -0.0002348990237805992),)),)]


@HERE
@given(OTHERS, st.integers(-5, 5), st.integers(-5, 5))
def test_alternatives_are_the_tuple_that_they_stand_for(others: tuple[Alternative, ...], first: int, last: int) -> None:
    told = [{"token": other.text, "logprob": max(other.logprob, -8000.0)} for other in others]
    expected = tuple([Alternative(one["token"], one["logprob"]) for one in told])
    [[found]] = parse(body({"content": [{"token": "x", "top_logprobs": told}]}), Reading(constrained=False, mask=None))[1]
    assert found.top == expected == tuple(found.top) == copy(found.top) == pickle.loads(pickle.dumps(found.top))  # noqa: S301
    assert (len(found.top), repr(found.top), hash(found.top)) == (len(expected), repr(expected), hash(expected))
    assert found.top[first:last] == expected[first:last]
    assert outcome(lambda: found.top[first]) == outcome(lambda: expected[first])
    assert found.top != "x"
    assert (found.top == found.top[:1]) is (expected == expected[:1])


@HERE
@given(BODIES, st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_freedom_of_tokens(told: bytes, json_: bool, within: bool, escaped: bool, final: bool) -> None:
    try:
        _, [tokens] = parse(told, Reading(constrained=True, mask="after"))
    except EngineProtocolError:
        return
    held = list(tokens)
    assert same(freedom.fed(held, json_, within, escaped, final), PLAIN["positions.fed"](held, json_, within, escaped, final))
    assert same(outcome(scored.weighed, held), outcome(PLAIN["tokens.weighed"], held))


@HERE
@given(TOKENS, st.integers(0, 3))
def test_log_probabilities_as_the_client_gets_them(found: tuple[Token, ...], top: int) -> None:
    assert render.encoded(render.written(found, top)) == render.encoded(PLAIN["written.written"](found, top))


@HERE
@given(BODIES, st.builds(Reading, st.booleans(), MASKS), st.integers(0, 3))
def test_log_probabilities_of_an_answer_as_the_client_gets_them(told: bytes, reading: Reading, top: int) -> None:
    try:
        tokens = parse(told, reading)[1]
    except EngineProtocolError:
        return
    for found in tokens:
        known = tuple([token for token in found if token.logprob is not None])
        assert render.encoded(render.written(found, top)) == render.encoded(PLAIN["written.written"](found, top))
        assert render.encoded(render.written(known, top)) == render.encoded(PLAIN["written.written"](known, top))


@HERE
@given(st.text(), st.text(st.characters(max_codepoint=127)), st.floats(max_value=0.0, allow_nan=False))
def test_every_text_and_number_as_the_client_gets_it(text: str, plain_: str, number: float) -> None:
    told = {
        "content": [{"token": one, "logprob": number, "top_logprobs": [{"token": plain_, "logprob": number}]} for one in (text, plain_)]
    }
    [found] = parse(body(told), Reading(constrained=False, mask=None))[1]
    for top in (0, 1):
        assert render.encoded(render.written(found, top)) == render.encoded(PLAIN["written.written"](found, top))


@HERE
@given(st.lists(PIECES, max_size=6), st.integers(0, 6), st.integers(0, 6), TEXTS)
def test_tokens_within_a_text(pieces: list[str], first: int, last: int, other: str) -> None:
    found = tuple([Token(piece) for piece in pieces])
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
