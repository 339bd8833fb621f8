"""Answers held to their contract, and taken apart as the client gets them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import lru_cache

from router.contract import grammars, patterns, toolcalls
from router.contract.schema import clip, violations
from router.contract.strictjson import NotJson, glanced
from router.types import Choice, Contract, ToolCall, Violation
from router.types.records import record

_SHORT = 16_384
_ENDS = {"length": "cut off before the end", "refusal": "the model refused"}
"""What no text keeps its form after."""
_PLAIN = frozenset({"regex", "choice", "grammar"})
"""Kinds whose answers are no JSON."""


@record(frozen=True, slots=True)
class Answer:
    """An answer as the client gets it: text, calls of functions, both, or a refusal, the absent parts `None` and empty."""

    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None


def check(contract: Contract, choice: Choice) -> tuple[Violation, ...]:
    """In what an answer breaks its contract; nothing if it keeps it. Values are shown up to 80 characters."""
    if contract.kind == "none":
        return () if choice.text.strip() else (Violation("", "empty answer"),)
    if choice.finish_reason in _ENDS:
        return (Violation("", _ENDS[choice.finish_reason]),)
    text = choice.text
    if contract.kind in _PLAIN:
        return _check_plain(contract, text)
    return (_remembered if len(contract.text) + len(text) <= _SHORT else _found)(contract, text)


def _check_plain(contract: Contract, text: str) -> tuple[Violation, ...]:
    match contract.kind:
        case "regex":
            return () if patterns.matches(contract.text, text) else (Violation("", _unmatched(text, "does not match the pattern")),)
        case "choice":
            return () if text in contract.choices else (Violation("", _unmatched(text, "is none of the choices")),)
        case _:
            return () if grammars.matches(contract.text, text) else (Violation("", _unmatched(text, "is not in the grammar")),)


def _unmatched(text: str, complaint: str) -> str:
    return f"{clip(text)!r} {complaint}" if text else "empty answer"


def _found(contract: Contract, text: str) -> tuple[Violation, ...]:
    try:
        value = glanced(text)
    except NotJson as error:
        return (Violation("", str(error)),)
    return toolcalls.check(contract, value) if contract.kind == "tools" else violations(contract.text, value)


_remembered = lru_cache(maxsize=64)(_found)
"""Verifiers, scores, labels and metrics ask it of the same answer, so what was found of short ones is remembered."""


def answer(contract: Contract, choice: Choice, new_id: Callable[[], str] = lambda: f"call_{secrets.token_hex(12)}") -> Answer:
    """An answer that keeps its contract as content and tool calls; one that does not is given as it stands, a refusal as one."""
    if choice.finish_reason == "refusal":
        return Answer(None, refusal=choice.text)
    if contract.kind != "tools":
        return Answer(choice.text)
    try:
        value = glanced(choice.text)
    except NotJson:
        return Answer(choice.text)
    match value:
        case {"message": said} if contract.form is not None:
            return Answer(_compact(said))
        case {"message": str(message)}:
            return Answer(message)
        case {"tool_calls": [*calls], **rest} if all(isinstance(call, dict) and {"name", "arguments"} <= call.keys() for call in calls):
            made = tuple(ToolCall(new_id(), str(call["name"]), _compact(call["arguments"])) for call in calls)
            return Answer(beside if isinstance(beside := rest.get("content"), str) else None, made)
        case _:
            return Answer(choice.text)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
