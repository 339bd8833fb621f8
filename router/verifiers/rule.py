"""The operator's own rule over request and answer, in CEL (the Common Expression Language: no loops, no side effects, always ends)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from router.account import answer_account, request_account
from router.errors import ConfigError
from router.registry import verifiers
from router.types import Draft, Evidence, Ruling, Verdict

if TYPE_CHECKING:
    from cel import Program

MOST_VALUES = 5_000
MOST_STEPS = 10_000
MOST_COPIED = 20_000_000
"""An expression holds the interpreter until it ends, `filter` and `map` copy what they have so far, and a chain of `map(x, x + x)` doubles
it each time: all is bounded beforehand, the last in characters, a value counted as `_VALUE` of them."""
_VALUE = 16
_NAMES = frozenset({"request", "answer", "tier", "last"})
_FUNCTIONS = frozenset({"size", "contains", "startsWith", "endsWith", "matches", "type", "dyn", "timestamp", "duration"})
_FUNCTIONS |= {"int", "uint", "double", "string", "bytes"}
_FUNCTIONS |= {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
_FUNCTIONS |= {"getHours", "getMinutes", "getSeconds", "getMilliseconds"}
_LITERAL = re.compile(r"""[rRbB]{0,2}(?:'''.*?'''|\"{3}.*?\"{3}|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|//[^\n]*""", re.DOTALL)
_MARK = re.compile(r"\.\s*(all|exists_one|exists|filter|map)\s*\(\s*(\w+)|[()]")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?!\s*\(|\w)")
_WORDS = frozenset({"true", "false", "null", "in"})
_OVER_LITERAL = re.compile(r"\]\s*\.\s*(?:all|exists_one|exists|filter|map)\s*\(")
_FAILURES = (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError)
"""What the CEL library raises when an expression cannot be compiled or evaluated."""


@verifiers.register("rule")
@dataclass(frozen=True, slots=True)
class RuleVerifier:
    """Accepts where `expression` is true, defers where it is false; `when` says where it applies, `name` stands in the reason.

    The expressions see `request` (id, route, text, messages, tools, form, metadata), `answer` (text, finish_reason, tool_calls, and
    message or json where it has them), `tier` and `last`.
    """

    kind: ClassVar[str] = "rule"
    expression: Annotated[str, Field(min_length=1, max_length=2000)]
    when: Annotated[str, Field(min_length=1, max_length=2000)] = "true"
    name: Annotated[str, Field(max_length=60)] = "false"

    def __post_init__(self) -> None:
        for option in ("expression", "when"):
            try:
                _compiled(getattr(self, option))
            except ValueError as error:
                raise ConfigError(" ".join(str(error).split())[:300], param=option) from error

    @property
    def needs(self) -> Evidence:
        """Nothing beyond the text."""
        return Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        """Never raises: an expression that fails, is no truth value, or would take too long on this answer is `UNABLE`."""
        told = {"request": request_account(draft.request), "answer": answer_account(draft), "tier": draft.tier, "last": draft.last}
        extent = _extent(told)
        if any(_compiled(text).too_much(extent) for text in (self.when, self.expression)):
            return Verdict(self.kind, Ruling.UNABLE, "too_large")
        try:
            if not _true(self.when, told):
                return Verdict(self.kind, Ruling.NOT_APPLICABLE, "when")
            return Verdict(self.kind, Ruling.ACCEPT) if _true(self.expression, told) else Verdict(self.kind, Ruling.DEFER, self.name)
        except _FAILURES as error:
            return Verdict(self.kind, Ruling.UNABLE, type(error).__name__)


@dataclass(frozen=True, slots=True)
class _Extent:
    """The number of values inside, the length of the longest list or object, the characters of all texts and names."""

    values: int
    widest: int
    characters: int


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`levels` is the power of the longest list that bounds the steps, `listed` the length of the expression's own lists where it walks
    them; `copies` says for each `map` how often its body names something, which is what its result can be larger by."""

    program: "Program"
    levels: int
    listed: int
    copies: tuple[int, ...]

    def too_much(self, extent: _Extent) -> bool:
        """Whether an answer of this extent may take too long, or more memory than there is."""
        growth = prod(self.copies)
        steps = max(extent.widest, self.listed) ** self.levels * (growth if len(self.copies) > 1 else 1)
        copied = growth * (extent.characters + _VALUE * extent.values) if growth > 1 else 0
        return extent.values > MOST_VALUES or steps > MOST_STEPS or copied > MOST_COPIED


@lru_cache(maxsize=512)
def _compiled(expression: str) -> _Compiled:
    """ValueError for what is no CEL, or names what is not there."""
    from cel import compile as compile_cel  # the package loads a whole terminal toolkit: only routes with a rule pay for it

    program = compile_cel(expression)
    plain = _LITERAL.sub("''", expression)
    levels, bound, copies = _nesting(plain)
    unknown = [name for name in program.variables() if name not in _NAMES | bound]
    unknown += [f"{name}()" for name in program.functions() if name.isidentifier() and name not in _FUNCTIONS]
    if unknown:
        raise ValueError(f"there is no {unknown[0]}; names are {', '.join(sorted(_NAMES))}")
    made = _Compiled(program, levels, plain.count(",") + 1 if _OVER_LITERAL.search(plain) else 0, copies)
    if made.too_much(_Extent(1, 1, 0)):
        raise ValueError("it would take too long or too much memory on any answer")
    return made


def _nesting(expression: str) -> tuple[int, frozenset[str], tuple[int, ...]]:
    """How deep comprehensions stand in each other, those that copy counted twice, the names that they bind, what each `map` copies."""
    opened: list[tuple[int, int | None]] = [(0, None)]
    deepest, bound, copies = 0, set[str](), list[int]()
    for mark in _MARK.finditer(expression):
        if mark.group() == ")":
            _, body = opened.pop()
            copies += [] if body is None else [_named(expression[body : mark.start()])]
            continue
        weight, macro = 0, mark.group(1)
        if macro:
            bound.add(mark.group(2))
            weight = 2 if macro in ("filter", "map") else 1
        opened.append((opened[-1][0] + weight, mark.end() if macro == "map" else None))
        deepest = max(deepest, opened[-1][0])
    return deepest, frozenset(bound), tuple(copies)


def _named(body: str) -> int:
    return max(1, sum(name not in _WORDS for name in _NAME.findall(body)))


def _extent(value: object) -> _Extent:
    if isinstance(value, str):
        return _Extent(1, 0, len(value))
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    own = sum(map(len, value)) if isinstance(value, dict) else 0
    parts = [_extent(one) for one in inner]
    widest = max([len(inner), *(part.widest for part in parts)])
    return _Extent(1 + sum(part.values for part in parts), widest, own + sum(part.characters for part in parts))


def _true(expression: str, told: dict[str, object]) -> bool:
    found = _compiled(expression).program.execute(told)
    if not isinstance(found, bool):
        raise TypeError("not a truth value")
    return found
