"""What an answer must look like: made from the request, obeyed by engines, checked again afterwards on every tier."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from router import grammars, patterns, toolcontract
from router.errors import InvalidRequest
from router.prefix import Prefix
from router.schema import Limits, admit, clip, violations
from router.shortest import shortest
from router.strictjson import NotJson, parse
from router.types import Choice, Contract, Schema, Tool, ToolCall, ToolChoice, Violation

__all__ = [
    "Answer",
    "Limits",
    "Prefix",
    "answer",
    "check",
    "choice",
    "grammar",
    "json_object",
    "json_schema",
    "regex",
    "shortest",
    "text",
    "tools",
]

_SCHEMA = "response_format.json_schema.schema"
_MOST_CHOICES = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as the client gets it: text, or calls of functions, or both absent parts `None` and empty."""

    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()


def text() -> Contract:
    """Prose: anything but nothing."""
    return Contract()


def json_object() -> Contract:
    """Any JSON object."""
    return Contract("json_object", '{"type":"object"}', {"type": "object"})


def json_schema(schema: Schema, name: str = "", strict: bool = False, *, param: str = _SCHEMA, limits: Limits | None = None) -> Contract:
    """JSON that the schema accepts, drafts 4 to 2020-12; InvalidRequest where the schema is broken, too large, or falsely strict."""
    canonical = admit(schema, param, limits or Limits())
    if strict:
        owner = f"response_format {name!r}"
        if schema.get("type") != "object":
            raise InvalidRequest(f"Invalid schema for {owner}: schema must be of type 'object'.", param=param)
        toolcontract.check_strict(schema, owner, param)
    return Contract("json_schema", canonical, schema, name=name, strict=strict)


def regex(pattern: str, *, param: str = "structured_outputs.regex") -> Contract:
    """Text that the pattern matches as a whole; patterns that cannot be matched in linear time are InvalidRequest."""
    return Contract("regex", patterns.admit(pattern, param))


def choice(choices: Sequence[str], *, param: str = "structured_outputs.choice") -> Contract:
    """Exactly one of these texts."""
    given = tuple(choices) if isinstance(choices, list | tuple) else ()
    if not given or len(given) > _MOST_CHOICES or not all(isinstance(item, str) and item for item in given):
        raise InvalidRequest(f"{param} must be a list of 1 to {_MOST_CHOICES} texts that are not empty.", param=param)
    if len(set(given)) < len(given):
        raise InvalidRequest(f"{param} names the same text twice.", param=param)
    return Contract("choice", json.dumps(given, ensure_ascii=False), choices=given)


def grammar(text: str, *, param: str = "structured_outputs.grammar") -> Contract:
    """Text of a context-free grammar (Lark's notation)."""
    return Contract("grammar", grammars.admit(text, param))


def tools(
    offered: Sequence[Tool], tool_choice: ToolChoice | None = None, parallel: bool = True, *, limits: Limits | None = None
) -> Contract:
    """Calls of the offered tools (or, under `auto`, a message); prose where no tool may be called; InvalidRequest for what cannot be."""
    return toolcontract.compiled(tuple(offered), tool_choice or ToolChoice(), parallel, limits or Limits())


def check(contract: Contract, choice: Choice) -> tuple[Violation, ...]:
    """In what an answer breaks its contract; nothing if it keeps it. Values are shown up to 80 characters."""
    if contract.kind == "none":
        return () if choice.text.strip() else (Violation("", "empty answer"),)
    if choice.finish_reason == "length":
        return (Violation("", "cut off before the end"),)
    return _check_text(contract, choice.text)


def _check_text(contract: Contract, text: str) -> tuple[Violation, ...]:
    match contract.kind:
        case "regex":
            return () if patterns.matches(contract.text, text) else (Violation("", _unmatched(text, "does not match the pattern")),)
        case "choice":
            return () if text in contract.choices else (Violation("", _unmatched(text, "is none of the choices")),)
        case "grammar":
            return () if grammars.matches(contract.text, text) else (Violation("", _unmatched(text, "is not in the grammar")),)
        case _:
            return _check_json(contract, text)


def _unmatched(text: str, complaint: str) -> str:
    return f"{clip(text)!r} {complaint}" if text else "empty answer"


def _check_json(contract: Contract, text: str) -> tuple[Violation, ...]:
    try:
        value = parse(text)
    except NotJson as error:
        return (Violation("", str(error)),)
    return toolcontract.check(contract, value) if contract.kind == "tools" else violations(contract.text, value)


def answer(contract: Contract, choice: Choice, new_id: Callable[[], str] = lambda: f"call_{secrets.token_hex(12)}") -> Answer:
    """An answer that keeps its contract as content and tool calls; one that does not is given as it stands."""
    if contract.kind != "tools":
        return Answer(choice.text)
    try:
        value = parse(choice.text)
    except NotJson:
        return Answer(choice.text)
    match value:
        case {"message": str(message)}:
            return Answer(message)
        case {"tool_calls": [*calls]} if all(isinstance(call, dict) and {"name", "arguments"} <= call.keys() for call in calls):
            return Answer(None, tuple(ToolCall(new_id(), str(call["name"]), _compact(call["arguments"])) for call in calls))
        case _:
            return Answer(choice.text)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
