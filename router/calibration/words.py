"""Words, numbers and shapes of a text, as the features see them; its cue words are English and say nothing in other languages."""

import math
import re
from collections.abc import Iterable, Set
from dataclasses import dataclass

from router.compiled import compiled

WORD = re.compile(r"[^\W_][^\W_]*(?:['\u2019][^\W_]+)?")
NUMBER = re.compile(r"\d\d*(?:[.,]\d+)*")
"""Both begin with one character of a set, for a search then passes over all others at once."""
QUOTED = re.compile(r"(?<!\w)['\"\u201c\u2018]([^'\"\u2018-\u201d]{1,60})['\"\u201d\u2019](?!\w)")
REFUSAL = re.compile(r"\b(?:sorry|cannot|can't|can not|unable|none of|no function|not able|don't have|do not have|not possible|n't)\b")
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_SHAPES = ((re.compile(r"[^\W\d_]+"), "a"), (re.compile(r"\d"), "9"), (re.compile(r"\s+"), " "))
_NUMERALS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_OTHERS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000}
_MORE = {"half": 0.5, "quarter": 0.25, "dozen": 12, "million": 1e6, "once": 1, "twice": 2, "single": 1, "couple": 2, "a": 1, "an": 1}
NUMERALS: dict[str, float] = {word: float(value) for value, word in enumerate(_NUMERALS)} | _OTHERS | _MORE
SPELLED = {value: tuple(word for word, other in NUMERALS.items() if other == value) for value in NUMERALS.values()}
"""The numerals of each number."""
_NUMERALS_KNOWN = frozenset(NUMERALS)
STOP = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "done",
        "down",
        "each",
        "for",
        "from",
        "get",
        "give",
        "go",
        "had",
        "has",
        "have",
        "he",
        "help",
        "her",
        "here",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "kindly",
        "know",
        "let",
        "like",
        "make",
        "may",
        "me",
        "more",
        "most",
        "much",
        "my",
        "need",
        "no",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "one",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "please",
        "set",
        "she",
        "should",
        "show",
        "so",
        "some",
        "such",
        "tell",
        "than",
        "thank",
        "thanks",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "two",
        "under",
        "up",
        "use",
        "using",
        "very",
        "want",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "will",
        "with",
        "would",
        "you",
        "your",
        "i'm",
        "i'd",
        "i'll",
        "it's",
        "that's",
        "what's",
        "let's",
        "first",
        "second",
        "third",
        "find",
        "using",
    ]
)


def words(text: str) -> list[str]:
    """The words of the text in order, lower-cased."""
    return spoken(text.casefold())


@compiled("texts")
def spoken(text: str) -> list[str]:
    """The words of a text that is lower-cased already."""
    return WORD.findall(text)


@compiled("texts")
def digits(text: str) -> list[str]:
    """The numbers of a text, as they are written."""
    return NUMBER.findall(text)


@compiled("texts")
def stems(found: Iterable[str]) -> frozenset[str]:
    """Words cut to six characters, so that inflected forms meet; stop words are left out."""
    return frozenset([word[:6] for word in found if word not in STOP])


def pieces(identifier: str) -> list[str]:
    """The words of a name such as `getUserName`, `get_user_name` or `geo.distance`."""
    return [piece.casefold() for piece in _PIECES.findall(identifier)]


def number(text: str) -> float:
    """The value of digits with thousands separators or a decimal comma."""
    if text.isdecimal():
        return float(text)
    plain = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text.replace(",", ".")
    try:
        return float(plain)
    except ValueError:
        return float(re.sub(r"\D", "", plain)[:15])


def numbers(text: str, found: Iterable[str]) -> frozenset[float]:
    """Numbers written in digits, or as one of `found`, the text's words."""
    return values(digits(text), found)


def values(written: Iterable[str], found: Iterable[str]) -> frozenset[float]:
    """The numbers of what stands in digits, and of the numerals among the words."""
    return frozenset([*map(number, written), *[NUMERALS[word] for word in _NUMERALS_KNOWN.intersection(found)]])


def quotes(text: str) -> list[str]:
    """What stands in quotation marks."""
    return QUOTED.findall(text) if "'" in text or '"' in text or "\u201c" in text or "\u2018" in text else []


@dataclass(frozen=True, slots=True)
class Cue:
    """Words and phrases that hint at something; `signs` are words without one of which no phrase can stand in a text.

    `firsts` are the letters that the phrases begin with.
    """

    phrases: tuple[str, ...]
    firsts: str
    pattern: re.Pattern[str]
    signs: frozenset[str]
    mark: str

    @classmethod
    def of(cls, *phrases: str, mark: str = "") -> "Cue":
        """Whole words only, sought by their first letters; `mark` counts wherever it stands."""
        firsts, rest = "".join({phrase[0] for phrase in phrases}), "|".join(f"(?<={phrase[0]}){phrase[1:]}" for phrase in phrases)
        pattern = re.compile(rf"[{firsts}](?<=\b.)(?:{rest})\b")
        return cls(phrases, firsts, pattern, frozenset(max(phrase.split(), key=len) for phrase in phrases), mark)

    def count(self, text: str, found: Set[str]) -> int:
        """How often they stand in the text, whose words are `found`; an apostrophe may hide a word in another, so then all is searched."""
        hidden = "'" in text or "\u2019" in text
        said = times(self, text) if hidden or not self.signs.isdisjoint(found) else 0
        return said + text.count(self.mark) if self.mark else said


@compiled("texts")
def times(cue: Cue, text: str) -> int:
    """How often its phrases stand in a text."""
    return len(cue.pattern.findall(text))


CONJUNCTION = Cue.of(
    *("and", "then", "also", "plus", "finally", "afterwards", "second", "secondly", "next", "as well", "after that", "followed by"),
    mark=";",
)
CORRECTION = Cue.of("actually", "instead", "rather", "wait", "sorry", "scratch", "i mean", "make it", "change that", "no")
NEGATION = Cue.of(
    *("not", "no", "never", "without", "except", "don't", "dont", "doesn't", "isn't", "won't", "can't", "nothing", "neither", "nor")
)
RELATIVE = Cue.of(
    *("tomorrow", "today", "tonight", "yesterday", "next", "last", "ago", "later", "earlier", "before", "after", "from now", "this")
)


def shape(text: str) -> str:
    """The outline of a value: runs of letters become `a`, each digit `9`, so that `2023-04-15` and `1999-12-31` are alike."""
    for pattern, mark in _SHAPES:
        text = pattern.sub(mark, text)
    return text.strip()


def figure(number: float) -> float:
    """As a float; an integer beyond every float is infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
