"""Contracts made from what a request demands; what cannot be demanded is refused here, once, before any work."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic_core import to_json

from router.contract import grammars, patterns, toolcalls
from router.contract.schema import Limits, admit, remembered
from router.errors import InvalidRequest
from router.types import Contract, Schema, Tool, ToolChoice

_SCHEMA = "response_format.json_schema.schema"
_MOST_CHOICES = 1_000
_PROSE = Contract()


def text() -> Contract:
    """Prose: anything but nothing."""
    return _PROSE


def json_object() -> Contract:
    """Any JSON object."""
    return Contract("json_object", '{"type":"object"}', {"type": "object"})


def json_schema(schema: Schema, name: str = "", strict: bool = False, *, param: str = _SCHEMA, limits: Limits | None = None) -> Contract:
    """JSON that the schema accepts, drafts 4 to 2020-12; InvalidRequest where the schema is broken, too large, or falsely strict."""
    try:
        key = to_json(schema).decode()
    except ValueError:  # no plain JSON, which is told below
        return _of_schema(schema, name, strict, param, limits or Limits())
    return _remade(key, name, strict, param, limits or Limits())


@remembered
def _remade(text: str, name: str, strict: bool, param: str, limits: Limits) -> Contract:
    """Clients send the same schema again and again."""
    return _of_schema(json.loads(text), name, strict, param, limits)


def _of_schema(schema: Schema, name: str, strict: bool, param: str, limits: Limits) -> Contract:
    canonical = admit(schema, param, limits)
    if strict:
        owner = f"response_format {name!r}"
        if schema.get("type") != "object":
            raise InvalidRequest(f"Invalid schema for {owner}: schema must be of type 'object'.", param=param)
        toolcalls.check_strict(schema, owner, param)
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
    offered: Sequence[Tool],
    tool_choice: ToolChoice | None = None,
    parallel: bool = True,
    *,
    form: Contract | None = None,
    limits: Limits | None = None,
) -> Contract:
    """Calls of the offered tools, or, under `auto`, a message: prose, or JSON of the `form`.

    Prose where no tool may be called; InvalidRequest for what cannot be.
    """
    return toolcalls.compiled(tuple(offered), tool_choice or ToolChoice(), parallel, limits or Limits(), form)
