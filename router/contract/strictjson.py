"""Strict JSON: what a client's own parser would take, whatever its language."""

from __future__ import annotations

import json
from functools import lru_cache
from math import isinf
from typing import NoReturn

MOST_CHARACTERS = 4_000_000
MOST_LEVELS = 128
_SHORT = 16_384


class NotJson(ValueError):
    """Text that is no JSON value, with the reason in a few words."""


def parse(text: str) -> object:
    """The value of a JSON text; NotJson for duplicate keys, NaN, infinities, lone surrogates, trailing text, or too much of it."""
    if not text.strip():
        raise NotJson("empty answer")
    if len(text) > MOST_CHARACTERS:
        raise NotJson(f"longer than {MOST_CHARACTERS} characters")
    if text.count("{") + text.count("[") > MOST_LEVELS:
        _bound_depth(text)
    return _decoded(text)


def glanced(text: str) -> object:
    """The same for those who only look at the value and never change it: one answer is read by several, so short texts are remembered."""
    return _glanced(text) if len(text) <= _SHORT else parse(text)


@lru_cache(maxsize=64)
def _glanced(text: str) -> object:
    return parse(text)


def _decoded(text: str) -> object:
    try:
        value = _DECODER.decode(text)
        if "\\u" in text or not text.isascii():
            json.dumps(value, ensure_ascii=False).encode()
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        raise NotJson(f"not valid JSON: {error.msg.lower().removesuffix(' at')} at character {error.pos}") from None
    except UnicodeEncodeError:
        raise NotJson("not valid JSON: a lone surrogate") from None
    except (ValueError, RecursionError):
        raise NotJson("not valid JSON: a number or nesting out of range") from None
    return value


def _bound_depth(text: str) -> None:
    """Brackets inside strings do not count."""
    depth, quoted, escaped = 0, False, False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "{[":
            depth += 1
            if depth > MOST_LEVELS:
                raise NotJson(f"nested more than {MOST_LEVELS} levels deep")
        elif character in "}]":
            depth -= 1


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotJson("not valid JSON: a duplicate key")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise NotJson("not valid JSON: a number out of range")
    return number


def _refuse(name: str) -> NoReturn:
    raise NotJson(f"not valid JSON: {name}")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
