"""Features of the request alone: known before any generation."""

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from router.calibration.offer import Offer, Offered, offer
from router.calibration.words import CONJUNCTION, CORRECTION, NEGATION, NUMBER, QUOTED, RELATIVE, numbers, stems, words
from router.types import GenerationRequest

_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_DIGIT, _CAPITAL, _SYMBOL = re.compile(r"\d"), re.compile(r"[A-Z]"), re.compile(r"[^\w\s]")
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


@dataclass(frozen=True, slots=True)
class Asked:
    """The request as the features see it: `last` is the last user message, `text` all that was said to the model, both lower-cased."""

    original: str
    last: str
    text: str
    words: list[str]
    stems: frozenset[str]
    all_stems: frozenset[str]
    numbers: frozenset[float]
    all_numbers: frozenset[float]
    conjunctions: int
    offer: Offer
    overlaps: dict[str, float]


def asked(request: GenerationRequest) -> Asked:
    """Take the request apart once, whatever number of features looks at it; texts beyond 6,000 characters lose their beginning."""
    turns = tuple((message.role, message.text[-_LONGEST:]) for message in request.messages[-20:])
    return _asked(turns, _Contract(request))


class _Contract:
    """The request's contract for the cache: compared as the contract is, without hashing the rest of the request."""

    __slots__ = ("contract", "key")

    def __init__(self, request: GenerationRequest) -> None:
        self.contract = request.contract
        self.key = (request.contract, tuple((tool.name, tool.description) for tool in request.contract.tools))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Contract) and self.key == other.key


@lru_cache(maxsize=64)
def _asked(turns: tuple[tuple[str, str], ...], contract: _Contract) -> Asked:
    original = next((text for role, text in reversed(turns) if role == "user"), "")
    text = "\n".join(text for _, text in turns).casefold()
    last = original.casefold()
    found = words(last)
    offered = offer(contract.contract)
    own = stems(found)
    overlaps = {name: len(own & function.described) / (1 + len(function.stems)) for name, function in offered.functions.items()}
    ours = numbers(last, found)
    alone = text == last
    everything = found if alone else words(text)
    return Asked(
        original,
        last,
        text,
        found,
        own,
        own if alone else stems(everything),
        ours,
        ours if alone else numbers(text, everything),
        len(CONJUNCTION.findall(last)),
        offered,
        overlaps,
    )


def request_features(request: GenerationRequest, known: Asked | None = None) -> dict[str, float]:
    """Named features of the request, all finite; `known` is the request taken apart, where that was done already."""
    known = known or asked(request)
    best = sorted(known.overlaps.values(), reverse=True)[:2]
    kind = request.contract.kind
    return _text_features(known) | {
        "turns": float(len(request.messages)),
        "all_chars": math.log1p(sum(len(message.text) for message in request.messages)),
        "tools": float(len(known.offer.functions)),
        "parameters": math.log1p(known.offer.total),
        "required": math.log1p(known.offer.required),
        "enums": float(known.offer.enums),
        "schema_depth": float(known.offer.depth),
        "overlap_best": best[0] if best else 0.0,
        "name_best": max((_named(known, function) for function in known.offer.functions.values()), default=0.0),
        "overlap_gap": best[0] - best[1] if len(best) > 1 else 0.0,
        "kind": float(KINDS.index(kind)),
        "must_call": float(request.contract.tool_choice.mode in ("required", "named")),
    }


def _named(known: Asked, function: Offered) -> float:
    """The share of the words of a function's name that the request says."""
    return len(known.stems & function.stems) / max(len(function.stems), 1)


def _text_features(known: Asked) -> dict[str, float]:
    count, size = max(len(known.words), 1), max(len(known.last), 1)
    return {
        "chars": math.log1p(len(known.last)),
        "words": math.log1p(len(known.words)),
        "word_length": sum(map(len, known.words)) / count,
        "content": len(known.stems) / count,
        "digits": len(_DIGIT.findall(known.last)) / size,
        "numbers": float(len(NUMBER.findall(known.last))),
        "conjunctions": float(known.conjunctions),
        "commas": float(known.last.count(",")),
        "sentences": float(len(_SENTENCE.findall(known.last))),
        "questions": float(known.last.count("?")),
        "lines": float(known.last.count("\n")),
        "quotes": float(len(QUOTED.findall(known.original))),
        "capitals": len(_CAPITAL.findall(known.original)) / size,
        "symbols": len(_SYMBOL.findall(known.last)) / size,
        "corrections": float(len(CORRECTION.findall(known.last))),
        "negations": float(len(NEGATION.findall(known.last))),
        "relative": float(len(RELATIVE.findall(known.last))),
    }
