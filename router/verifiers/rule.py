"""The operator's own rule over request and answer, in CEL (the Common Expression Language: no loops, no side effects, always ends)."""

import re
from dataclasses import dataclass
from functools import lru_cache
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
"""An expression holds the interpreter until it ends, and `filter` and `map` copy what they have so far: both are bounded beforehand."""
_NAMES = frozenset({"request", "answer", "tier", "last"})
_FUNCTIONS = frozenset({"size", "contains", "startsWith", "endsWith", "matches", "type", "dyn", "timestamp", "duration"})
_FUNCTIONS |= {"int", "uint", "double", "string", "bytes"}
_FUNCTIONS |= {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
_FUNCTIONS |= {"getHours", "getMinutes", "getSeconds", "getMilliseconds"}
_LITERAL = re.compile(r"""[rRbB]{0,2}(?:'''.*?'''|\"{3}.*?\"{3}|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|//[^\n]*""", re.DOTALL)
_MARK = re.compile(r"\.\s*(all|exists_one|exists|filter|map)\s*\(\s*(\w+)|[()]")
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
        values, widest = _extent(told)
        if values > MOST_VALUES or any(widest ** _compiled(text).levels > MOST_STEPS for text in (self.when, self.expression)):
            return Verdict(self.kind, Ruling.UNABLE, "too_large")
        try:
            if not _true(self.when, told):
                return Verdict(self.kind, Ruling.NOT_APPLICABLE, "when")
            return Verdict(self.kind, Ruling.ACCEPT) if _true(self.expression, told) else Verdict(self.kind, Ruling.DEFER, self.name)
        except _FAILURES as error:
            return Verdict(self.kind, Ruling.UNABLE, type(error).__name__)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`levels` is the power of the longest list that bounds the steps."""

    program: "Program"
    levels: int


@lru_cache(maxsize=512)
def _compiled(expression: str) -> _Compiled:
    """ValueError for what is no CEL, or names what is not there."""
    from cel import compile as compile_cel  # the package loads a whole terminal toolkit: only routes with a rule pay for it

    program = compile_cel(expression)
    levels, bound = _nesting(expression)
    unknown = [name for name in program.variables() if name not in _NAMES | bound]
    unknown += [f"{name}()" for name in program.functions() if name.isidentifier() and name not in _FUNCTIONS]
    if unknown:
        raise ValueError(f"there is no {unknown[0]}; names are {', '.join(sorted(_NAMES))}")
    return _Compiled(program, levels)


def _nesting(expression: str) -> tuple[int, frozenset[str]]:
    """How deep comprehensions stand in each other, those that copy counted twice, and the names that they bind."""
    open_levels, deepest, bound = [0], 0, set()
    for mark in _MARK.finditer(_LITERAL.sub("''", expression)):
        if mark.group() == ")":
            open_levels.pop()
            continue
        weight = 0
        if macro := mark.group(1):
            bound.add(mark.group(2))
            weight = 2 if macro in ("filter", "map") else 1
        open_levels.append(open_levels[-1] + weight)
        deepest = max(deepest, open_levels[-1])
    return deepest, frozenset(bound)


def _extent(value: object) -> tuple[int, int]:
    """The number of values inside, and the length of the longest list or object."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    extents = [_extent(one) for one in inner]
    return 1 + sum(count for count, _ in extents), max([len(inner), *(widest for _, widest in extents)])


def _true(expression: str, told: dict[str, object]) -> bool:
    found = _compiled(expression).program.execute(told)
    if not isinstance(found, bool):
        raise TypeError("not a truth value")
    return found
