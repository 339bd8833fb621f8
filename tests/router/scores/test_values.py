"""Where freedom is unknown, values are told from keys in one walk over the answer, however its tokens are cut."""

import random

from router.scores.tokens import _KEY, _values
from router.types import Token


def told(tokens: list[Token]) -> tuple[Token, ...]:
    """The definition, token by token."""
    keys = [match.span() for match in _KEY.finditer("".join(token.text for token in tokens))]
    kept, at = [], 0
    for token in tokens:
        end = at + len(token.text)
        if not any(start <= at and end <= stop for start, stop in keys) and any(map(str.isalnum, token.text)):
            kept.append(token)
        at = end
    return tuple(kept)


def test_however_an_answer_is_cut_its_values_are_the_same() -> None:
    chance = random.Random(1)
    for _ in range(300):
        keys = ["k" * chance.randint(0, 5) for _ in range(chance.randint(0, 6))]
        pairs = [f'"{key}": ' + chance.choice(["12", "true", '"v a"', '"a:b"']) for key in keys]
        text, tokens, at = "{" + ", ".join(pairs) + "}", list[Token](), 0
        while at < len(text):
            size = chance.choice([0, 1, 1, 2, 3, 5, 8])
            tokens.append(Token(text[at : at + size], -0.1 - chance.random()))
            at += size
        assert _values(tokens) == told(tokens)
