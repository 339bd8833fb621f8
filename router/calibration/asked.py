"""Features of the request alone: known before any generation."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from router.calibration.offer import Offer, Offered, offer
from router.calibration.words import CONJUNCTION, CORRECTION, NEGATION, RELATIVE, digits, number, quotes, spoken, stems, values
from router.compiled import compiled
from router.types import GenerationRequest, Message

Turns = tuple[tuple[str, str], ...]
"""Roles with what they said."""
_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_CAPITALS, _SYMBOL = bytes(range(ord("A"), ord("Z") + 1)), re.compile(r"[^\w\s]")
_PLAIN = bytes(code for code in range(128) if not _SYMBOL.match(chr(code)))
_NAMES = re.compile(r"[A-Z](?<=[a-z,0-9] [A-Z])[\w'\u2019-]+")
"""The capital stands first, for a search passes over all else at once."""
_LONGEST = 6000
KINDS = ("none", "tools", "json_schema", "choice", "json_object", "regex", "grammar")
REQUEST_FEATURES = (
    "turns",
    "all_chars",
    "tools",
    "parameters",
    "required",
    "enums",
    "schema_depth",
    "overlap_best",
    "overlap_gap",
    "name_best",
    "kind",
    "must_call",
    "chars",
    "words",
    "word_length",
    "content",
    "digits",
    "numbers",
    "conjunctions",
    "commas",
    "sentences",
    "questions",
    "lines",
    "quotes",
    "capitals",
    "symbols",
    "corrections",
    "negations",
    "relative",
)


class Asked(NamedTuple):
    """The request as the features see it: `last` is the last user message, `text` all that was said to the model, both lower-cased.

    `written` are the numbers of the last message in digits, `numbers` those in words too. `overlaps` and `named` say by function how far
    the last message holds the words of its description, and what share of its name's. `features` are those of the last message alone.
    """

    last: str
    text: str
    words: list[str]
    stems: frozenset[str]
    all_stems: frozenset[str]
    written: frozenset[float]
    numbers: frozenset[float]
    all_numbers: frozenset[float]
    conjunctions: int
    quotes: list[str]
    names: frozenset[str]
    offer: Offer
    overlaps: dict[str, float]
    named: dict[str, float]
    features: Mapping[str, float]


def asked(request: GenerationRequest) -> Asked:
    """Take the request apart once, whatever number of features looks at it; texts beyond 6,000 characters lose their beginning."""
    return taken_apart(turns_of(request.messages), offer(request.contract))


@compiled("texts")
def turns_of(messages: Sequence[Message]) -> Turns:
    """The last 20 messages, of each the last 6,000 characters."""
    return tuple([(message.role, message.text[-_LONGEST:]) for message in messages[-20:]])


@lru_cache(maxsize=64)
@compiled("texts")
def taken_apart(turns: Turns, offered: Offer) -> Asked:
    """What is asked in these turns beside what is offered."""
    original = next((text for role, text in reversed(turns) if role == "user"), "")
    every = [said(text) for _, text in turns]
    newest, more = said(original), len(turns) > 1 or not original
    own, conjunctions, quoted = newest.stems, CONJUNCTION.count(newest.text, newest.distinct), quotes(original)
    return Asked(
        newest.text,
        "\n".join([other.text for other in every]),
        newest.words,
        own,
        own.union(*[other.stems for other in every]) if more else own,
        newest.written,
        newest.numbers,
        newest.numbers.union(*[other.numbers for other in every]) if more else newest.numbers,
        conjunctions,
        quoted,
        frozenset(names(original)),
        offered,
        *overlaps(own, offered.functions),
        text_features(original, newest, conjunctions, len(quoted)) | _cues(newest),
    )


@compiled("texts")
def overlaps(own: frozenset[str], functions: Mapping[str, Offered]) -> tuple[dict[str, float], dict[str, float]]:
    """By function how far the words hold those of its description, and what share of its name's."""
    named = {name: len(own & function.stems) / max(len(function.stems), 1) for name, function in functions.items()}
    return {name: len(own & function.described) / (1 + len(function.stems)) for name, function in functions.items()}, named


class Said(NamedTuple):
    """One turn taken apart, lower-cased."""

    text: str
    words: list[str]
    distinct: frozenset[str]
    stems: frozenset[str]
    digits: list[str]
    written: frozenset[float]
    numbers: frozenset[float]


@lru_cache(maxsize=64)
@compiled("texts")
def said(text: str) -> Said:
    """Remembered, for a conversation's turns come again with each request, and the system's with every one."""
    lowered = text.casefold()
    found, figures = spoken(lowered), digits(lowered)
    distinct, written = frozenset(found), frozenset(map(number, figures))
    return Said(lowered, found, distinct, stems(distinct), figures, written, written | values((), distinct))


@compiled("texts")
def request_features(request: GenerationRequest, known: Asked | None = None) -> dict[str, float]:
    """Named features of the request, all finite; `known` is the request taken apart, where that was done already."""
    known = known or asked(request)
    best = sorted(known.overlaps.values(), reverse=True)[:2]
    found = dict(known.features)
    found["turns"] = float(len(request.messages))
    found["all_chars"] = math.log1p(sum([len(message.text) for message in request.messages]))
    found |= known.offer.features
    found["overlap_best"] = best[0] if best else 0.0
    found["name_best"] = max(known.named.values(), default=0.0)
    found["overlap_gap"] = best[0] - best[1] if len(best) > 1 else 0.0
    found["kind"] = float(KINDS.index(request.contract.kind))
    found["must_call"] = float(request.contract.tool_choice.mode in ("required", "named"))
    return found


def _bytes(text: str) -> bytes:
    """In UTF-8, where characters are counted and left out fastest; half a character, which a client may send, stays one."""
    return text.encode("utf-8", "surrogatepass")


@compiled("texts")
def names(text: str) -> list[str]:
    """Words that begin with a capital inside a sentence, lower-cased."""
    return [name.casefold() for name in _NAMES.findall(text)]


@compiled("texts")
def text_features(original: str, said: Said, conjunctions: int, quoted: int) -> dict[str, float]:
    """What the last message looks like: its length, its signs and what they say of its build."""
    last, count, size = said.text, max(len(said.words), 1), max(len(said.text), 1)
    written, other = _bytes(original), _bytes(last).translate(None, _PLAIN).decode("utf-8", "surrogatepass")
    ends = "." in last or "!" in last or "?" in last
    return {
        "chars": math.log1p(len(last)),
        "words": math.log1p(len(said.words)),
        "word_length": sum(map(len, said.words)) / count,
        "content": len(said.stems) / count,
        "digits": sum([len(figure) - figure.count(".") - figure.count(",") for figure in said.digits]) / size,
        "numbers": float(len(said.digits)),
        "conjunctions": float(conjunctions),
        "commas": float(last.count(",")),
        "sentences": float(len(_SENTENCE.findall(last))) if ends else 0.0,
        "questions": float(last.count("?")),
        "lines": float(last.count("\n")),
        "quotes": float(quoted),
        "capitals": (len(written) - len(written.translate(None, _CAPITALS))) / size,
        "symbols": len(_SYMBOL.findall(other)) / size,
    }


def _cues(said: Said) -> dict[str, float]:
    last = said.text
    return {
        "corrections": float(CORRECTION.count(last, said.distinct)),
        "negations": float(NEGATION.count(last, said.distinct)),
        "relative": float(RELATIVE.count(last, said.distinct)),
    }
