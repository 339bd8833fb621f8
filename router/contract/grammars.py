"""Context-free grammars of clients, in Lark's notation or GBNF, as llguidance reads them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from router.contract.schema import clip
from router.errors import InvalidRequest

MOST_CHARACTERS = 65_536


class CannotCheck(Exception):
    """The grammar engine cannot rule on this text."""


def admit(grammar: str, param: str) -> str:
    """The grammar, if it can be read; InvalidRequest naming `param` otherwise: what cannot be checked is not promised."""
    if not isinstance(grammar, str) or not grammar.strip() or len(grammar) > MOST_CHARACTERS:
        raise InvalidRequest(f"{param} must be a grammar of at most {MOST_CHARACTERS} characters.", param=param)
    try:
        _read(grammar)
    except ValueError as error:
        raise InvalidRequest(f"Invalid grammar: {clip(str(error), 200)}", param=param) from error
    return grammar


def matches(grammar: str, text: str) -> bool:
    """Whether the whole text is in the grammar; CannotCheck where the engine gives up."""
    from llguidance import LLMatcher

    try:
        matcher = LLMatcher(_bytes_tokenizer(), _read(grammar), log_level=0)
        data = list(text.encode())
    except ValueError as error:
        raise CannotCheck(clip(str(error), 200)) from error
    taken = matcher.try_consume_tokens(data)
    if matcher.is_error():
        raise CannotCheck(clip(str(matcher.get_error()), 200))
    return taken == len(data) and bool(matcher.is_accepting())


@lru_cache(maxsize=64)
def _read(grammar: str) -> str:
    """llguidance's own form; ValueError where the text is neither Lark nor GBNF."""
    from llguidance import LLMatcher, grammar_from

    lark = str(LLMatcher.grammar_from_lark(grammar))
    complaint = LLMatcher.validate_grammar(lark, None)
    if not complaint:
        return lark
    if "::=" not in grammar:
        raise ValueError(complaint)
    converted = str(grammar_from("gbnf", grammar))
    complaint = LLMatcher.validate_grammar(converted, None)
    if complaint:
        raise ValueError(complaint)
    return converted


class _Bytes:
    """A tokenizer of 256 bytes and an end token."""

    eos_token_id = 256
    bos_token_id = None
    unk_token_id = None
    special_token_ids = (256,)
    tokens = (*(bytes([byte]) for byte in range(256)), b"<end>")

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


@lru_cache(maxsize=1)
def _bytes_tokenizer() -> Any:
    from llguidance import LLTokenizer, TokenizerWrapper

    return LLTokenizer(TokenizerWrapper(_Bytes()), n_vocab=257)
