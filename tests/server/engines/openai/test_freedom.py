"""Which tokens of an answer under a grammar were free."""

import pytest

from router.types import Alternative, Token
from server.engines.openai.freedom import Freedom


def token(text: str, *others: str, free: bool | None = True) -> Token:
    return Token(text, -0.5, None, free, (), tuple(Alternative(other, -0.5) for other in (text, *others)))


def judged(*tokens: Token, json: bool = True) -> list[bool | None]:
    freedom = Freedom(json)
    return [found.free for found in (*freedom.feed(tokens), *freedom.feed((), final=True))]


def test_spelling_out_a_key_is_no_freedom_and_its_value_is() -> None:
    answer = [
        token("{", free=False),
        token('"', '"minutes":'),
        token("min", "minutes", "minute", "m"),
        token("utes", "u", "ute"),
        token('":'),
    ]
    assert judged(*answer, token("5", "3", "0"), token("}", "5", ",")) == [False, False, False, False, False, True, True]


def test_white_space_between_marks_is_no_freedom_and_within_a_text_it_is() -> None:
    assert judged(token('{"a":', " "), token('"', " ", "\n"), token("x", " ", "x"), token('"}')) == [False, False, True, False]


def test_an_escaped_quote_does_not_end_a_text() -> None:
    assert judged(token('"a\\""'), token("x", " "), json=True) == [False, False]
    assert judged(token('"a\\"'), token("x", " "), json=True) == [False, True]


def test_an_answer_that_could_have_gone_on_was_free_to_end() -> None:
    assert judged(token("no", "nothing"), json=False) == [True]
    assert judged(token("no", "n"), token("thing", "t"), json=False) == [False, False]


@pytest.mark.parametrize("free", [None, False])
def test_what_the_mask_itself_says_is_kept(free: bool | None) -> None:
    assert judged(token("a", "b", free=free)) == [free]


def test_a_token_is_held_until_the_text_tells_and_none_is_lost() -> None:
    freedom = Freedom(json=True)
    assert freedom.feed([token("m", "minutes", "min")]) == ()
    assert freedom.feed([token("inut", "in")]) == ()
    given = freedom.feed([token("es"), token('"')])
    assert [one.text for one in given] == ["m", "inut", "es", '"']
    assert [one.free for one in given] == [False] * 4
    assert freedom.feed((), final=True) == ()
