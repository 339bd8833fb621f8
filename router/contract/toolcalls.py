"""Tools as one JSON Schema of the whole answer: `{"tool_calls": [{"name", "arguments"}, …]}`, or `{"message"}` as a further arm.

Where the request also demands a form of JSON, that is what the message must be: the model either calls or answers in the form. Servers
that parse calls by themselves give words beside them too: those stand as `content` beside `tool_calls`, for which nobody is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import cast

from pydantic_core import to_json

from router.contract.schema import DATA, NAMED, Limits, admit, canonical, clip, every, remembered, shown, violations
from router.errors import InvalidRequest
from router.types import Contract, Schema, Tool, ToolChoice, Violation

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_AROUND = 5
"""Levels of the answer's schema above the arguments' own."""
_NO_ARGUMENTS: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
MESSAGE: Schema = {
    "type": "object",
    "properties": {"message": {"type": "string", "minLength": 1}},
    "required": ["message"],
    "additionalProperties": False,
}


def compiled(tools: tuple[Tool, ...], choice: ToolChoice, parallel: bool, limits: Limits, form: Contract | None = None) -> Contract:
    """The contract of a request's tools; kind `none` where they may not be called. Clients send the same tools again and again."""
    try:
        text = to_json([[tool.name, tool.parameters, tool.description, tool.strict] for tool in tools]).decode()
    except ValueError:
        return _made(tools, choice, parallel, limits, form)
    return _remade(text, choice, parallel, limits, form)


@remembered
def _remade(text: str, choice: ToolChoice, parallel: bool, limits: Limits, form: Contract | None) -> Contract:
    return _made(tuple(Tool(*fields) for fields in json.loads(text)), choice, parallel, limits, form)


def _made(tools: tuple[Tool, ...], choice: ToolChoice, parallel: bool, limits: Limits, form: Contract | None) -> Contract:
    _check_names(tools, limits)
    for index, tool in enumerate(tools):
        _check_parameters(tool, f"tools[{index}].function.parameters", replace(limits, depth=limits.depth - _AROUND))
    offered = _chosen(tools, choice)
    if not offered:
        return Contract()
    said = form if choice.mode == "auto" else None
    schema = answer_schema(offered, choice.mode == "auto", parallel, said)
    text = canonical(schema, "tools", replace(limits, bytes=4 * limits.bytes, depth=limits.depth + _AROUND))
    strict = all(tool.strict for tool in offered) and (said is None or said.strict)
    return Contract("tools", text, schema, tools=offered, tool_choice=choice, parallel=parallel, strict=strict, form=said)


def _check_names(tools: tuple[Tool, ...], limits: Limits) -> None:
    if len(tools) > limits.tools:
        raise InvalidRequest(f"Too many tools: {len(tools)}, the limit is {limits.tools}.", param="tools")
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        param = f"tools[{index}].function.name"
        if not _NAME.fullmatch(tool.name):
            raise InvalidRequest(f"Invalid {param!r}: does not match the pattern '^[a-zA-Z0-9_-]{{1,64}}$'.", param=param)
        if tool.name in seen:
            raise InvalidRequest(f"Duplicate function name {tool.name!r}.", param=param)
        seen.add(tool.name)


def _check_parameters(tool: Tool, param: str, limits: Limits) -> None:
    schema = tool.parameters
    if schema is None or (isinstance(schema, Mapping) and not schema):
        return
    if isinstance(schema, Mapping) and schema.get("type", "object") != "object":
        kind = clip(shown(schema["type"]))
        raise InvalidRequest(f"Invalid schema for function {tool.name!r}: schema must be of type 'object', got {kind}.", param=param)
    admit(schema, param, limits)
    if tool.strict:
        check_strict(schema, f"function {tool.name!r}", param, optional=True)


def check_strict(schema: Schema, owner: str, param: str, *, optional: bool = False) -> None:
    """InvalidRequest unless every object is closed and (but for `optional`) requires all its properties, as OpenAI's strict mode demands.

    Functions may keep optional arguments: a decoder that is held to the schema itself needs no null in their place.
    """
    for path, below in every(schema):
        properties = below.get("properties")
        if not isinstance(properties, Mapping) and below.get("type") != "object":
            continue
        where = f"Invalid schema for {owner}: In context=({', '.join(map(repr, path))}),"
        if below.get("additionalProperties") is not False:
            raise InvalidRequest(f"{where} 'additionalProperties' is required to be supplied and to be false.", param=param)
        required = below.get("required")
        listed = required if isinstance(required, list) else []
        missing = [name for name in properties if name not in listed] if isinstance(properties, Mapping) else []
        if missing and not optional:
            message = "'required' is required to be supplied and to be an array including every key in properties."
            raise InvalidRequest(f"{where} {message} Missing {clip(missing[0])!r}.", param=param)


def _chosen(tools: tuple[Tool, ...], choice: ToolChoice) -> tuple[Tool, ...]:
    """The tools that may be called; InvalidRequest where the choice is impossible."""
    if choice.mode == "none":
        return ()
    if not tools and choice.mode != "auto":
        raise InvalidRequest("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    if choice.mode != "named":
        return tools
    unknown = [name for name in choice.names if name not in {tool.name for tool in tools}]
    if unknown or not choice.names:
        name = clip(unknown[0]) if unknown else ""
        raise InvalidRequest(f"Tool choice: function {name!r} not found in 'tools'.", param="tool_choice")
    return tuple(tool for tool in tools if tool.name in choice.names)


def answer_schema(tools: tuple[Tool, ...], message: bool, parallel: bool, form: Contract | None = None) -> Schema:
    """The schema of the whole answer; references of its parts go on resolving.

    A tool that has any stands under `#/$defs/<tool>`, the form of a message under `#/definitions/message`, where no tool can be.
    """
    definitions: dict[str, object] = {}
    forms: dict[str, object] = {}
    arms = [
        _closed({"name": {"enum": [tool.name]}, "arguments": _object(_placed(_arguments(tool), "$defs", tool.name, definitions))})
        for tool in tools
    ]
    calls: dict[str, object] = {"type": "array", "items": arms[0] if len(arms) == 1 else {"anyOf": arms}, "minItems": 1}
    calls |= {} if parallel else {"maxItems": 1}
    answer: Schema = _closed({"tool_calls": calls})
    said = MESSAGE if form is None else _closed({"message": _placed(form.schema or {}, "definitions", "message", forms)})
    root: dict[str, object] = {"anyOf": [answer, said]} if message else dict(answer)
    beside = {keyword: kept for keyword, kept in (("$defs", definitions), ("definitions", forms)) if kept}
    return {**_drafts([*(tool.parameters for tool in tools), *([form.schema] if form is not None else [])]), **root, **beside}


def with_words(schema: Schema) -> Schema:
    """A schema of answers without a form that admits words beside calls too, as the check does."""
    if "anyOf" in schema:
        calls, said = cast("list[Schema]", schema["anyOf"])
        return {**schema, "anyOf": [with_words(calls), said]}
    return {**schema, "properties": {**cast(Schema, schema["properties"]), "content": {"type": "string"}}}


def _closed(properties: Mapping[str, object]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _placed(schema: Schema, keyword: str, name: str, definitions: dict[str, object]) -> Schema:
    """The schema as a part of the answer's; one with references becomes one of the definitions, which stand under the keyword."""
    if not any("$ref" in below for _, below in every(schema)):
        return {word: value for word, value in schema.items() if word not in _HEADER}
    definitions[name] = _moved(schema, f"#/{keyword}/{name}", str(schema.get("$id") or schema.get("id") or ""))
    return {"$ref": f"#/{keyword}/{name}"}


_HEADER = frozenset({"$schema", "$id", "id"})


def _moved(schema: Schema, to: str, base: str) -> Schema:
    """A schema whose own root now lies at the pointer `to`; `$ref`s to the root or below it follow."""

    top = {keyword: value for keyword, value in schema.items() if keyword not in _HEADER}
    return {keyword: _followed(keyword, value, to, base) for keyword, value in top.items()}


def _followed(keyword: str, value: object, to: str, base: str) -> object:
    """The value of a keyword with the references below it redirected; data, and resources with an own `$id`, stay as they are."""
    if keyword == "$ref" and isinstance(value, str):
        return _redirected(value, to, base)
    if keyword in DATA:
        return value
    if isinstance(value, list):
        return [_followed("", item, to, base) for item in value]
    if not isinstance(value, Mapping) or isinstance(value.get("$id"), str):
        return value
    named = keyword in NAMED
    return {key: _followed("" if named else key, item, to, base) for key, item in value.items()}


def _redirected(reference: str, to: str, base: str) -> str:
    local = reference.removeprefix(base.rstrip("#")) if base else reference
    if local in ("", "#"):
        return to
    return to + local[1:] if local.startswith("#/") else reference


def _drafts(schemas: Sequence[Schema | None]) -> Schema:
    """Parts that agree on a draft give it to the whole; otherwise a comment keeps contracts with other drafts apart."""
    stated = [str(schema.get("$schema", "")) for schema in schemas if schema]
    if len(set(stated)) == 1:
        return {"$schema": stated[0]} if stated[0] else {}
    return {"$comment": " ".join(stated)}


def _arguments(tool: Tool) -> Schema:
    return tool.parameters or _NO_ARGUMENTS


def _object(schema: Schema) -> Schema:
    """Arguments are an object, whether or not their schema says so; what refers to its own root refers to it as it stands."""
    return schema if "type" in schema else {"type": "object", **schema}


@lru_cache(maxsize=64)
def argument_texts(contract: Contract) -> Mapping[str, str]:
    """The JSON text of what each offered tool says of its arguments, by name."""
    wide = Limits(depth=1_000, bytes=1 << 30)
    return {tool.name: canonical(_arguments(tool), "tools", wide) for tool in contract.tools}


def check(contract: Contract, value: object) -> tuple[Violation, ...]:
    """In what a parsed answer breaks a contract of kind `tools`."""
    auto = contract.tool_choice.mode == "auto"
    if not isinstance(value, dict):
        return (Violation("", "must be an object with tool_calls" + (" or message" if auto else "")),)
    if "message" in value and auto:
        return _check_message(contract.form, value)
    beside = {"content"} if contract.form is None and isinstance(value.get("content"), str) else set[str]()
    unknown = [name for name in value if name != "tool_calls" and name not in beside]
    if unknown or "tool_calls" not in value:
        return (Violation("", f"unknown properties: {clip(unknown[0], 40)}" if unknown else "tool_calls is missing"),)
    return _check_calls(contract, value["tool_calls"])


_MESSAGE_TEXT = canonical(MESSAGE, "message", Limits())


def _check_message(form: Contract | None, value: dict[str, object]) -> tuple[Violation, ...]:
    if form is None:
        blank = isinstance(said := value["message"], str) and said.isspace()
        return violations(_MESSAGE_TEXT, value) or ((Violation("/message", "is blank"),) if blank else ())
    unknown = [name for name in value if name != "message"]
    if unknown:
        return (Violation("", f"unknown properties: {clip(unknown[0], 40)}"),)
    return violations(form.text, value["message"], "/message")


def _check_calls(contract: Contract, calls: object) -> tuple[Violation, ...]:
    if not isinstance(calls, list) or not calls:
        return (Violation("/tool_calls", "must be an array of at least one call"),)
    many = (Violation("/tool_calls", "only one call is allowed"),) if len(calls) > 1 and not contract.parallel else ()
    texts = argument_texts(contract)
    return (*many, *(found for index, call in enumerate(calls) for found in _check_call(texts, call, f"/tool_calls/{index}")))[:16]


def _check_call(texts: Mapping[str, str], call: object, path: str) -> tuple[Violation, ...]:
    if not isinstance(call, dict) or call.keys() != {"name", "arguments"}:
        return (Violation(path, "must be an object with name and arguments only"),)
    name = call["name"]
    if not isinstance(name, str) or name not in texts:
        return (Violation(f"{path}/name", f"no such function: {shown(name)}"),)
    arguments = call["arguments"]
    if not isinstance(arguments, dict):  # in older drafts a type says nothing beside a $ref
        return (Violation(f"{path}/arguments", f'{shown(arguments)} is not of type "object"'),)
    return violations(texts[name], arguments, f"{path}/arguments")
