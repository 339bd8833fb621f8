"""As much of PromQL as it takes to see which metrics and which of their labels an expression uses."""

import re
from dataclasses import dataclass
from functools import reduce

NAME = r"[a-zA-Z_:][\w:]*"
WORDS = frozenset({"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring"})
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
SELECTOR = re.compile(rf"({NAME})\s*\{{([^}}]*)\}}")
CUTS = (r"\{[^}]*\}", GROUPING.pattern, r"\[[^\]]*\]", r"\boffset\s+\w+", r"\b\d[\w.]*")


@dataclass(frozen=True, slots=True)
class Uses:
    """The metrics of an expression, the labels that it matches on by metric, and those that it groups by."""

    metrics: frozenset[str]
    matched: frozenset[tuple[str, str]]
    grouped: frozenset[str]


def uses(expression: str) -> Uses:
    """Read an expression; nested braces in strings are fine, strings are cut first."""
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    matched = {(name, label) for name, body in SELECTOR.findall(plain) for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", body)}
    grouped = {label.strip() for body in GROUPING.findall(plain) for label in body.split(",")}
    bare = reduce(lambda text, cut: re.sub(cut, " ", text), CUTS, plain)
    metrics = set(re.findall(rf"(?<![\w:])({NAME})(?![\w:]|\s*\()", bare)) - WORDS
    return Uses(frozenset(metrics), frozenset(matched), frozenset(grouped))
