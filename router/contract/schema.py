"""JSON Schemas of clients: bounded before they are compiled, compiled once, broken rules told as violations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, wraps
from itertools import islice
from typing import Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import unquote

import jsonschema_rs

from router.errors import InvalidRequest
from router.types import Schema, Violation
from router.types.records import record

_SHOWN = 80
_MOST_VIOLATIONS = 16
_MASK = "\ue000"
DATA = frozenset({"const", "enum", "default", "examples", "example", "required", "type"})
NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"})
_BACKTRACKS = 100_000
_BEFORE_2020 = re.compile(r"draft-0|2019-09")
_SHORT = 16_384

Rest = ParamSpec("Rest")
Made = TypeVar("Made")


def remembered(build: Callable[Concatenate[str, Rest], Made]) -> Callable[Concatenate[str, Rest], Made]:
    """Keep what was made of the last 512 short texts, and of a few long ones: memory stays bounded whatever clients send."""
    short, long = lru_cache(maxsize=512)(build), lru_cache(maxsize=16)(build)

    @wraps(build)
    def by_length(text: str, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Made:
        return (short if len(text) <= _SHORT else long)(text, *args, **kwargs)  # type: ignore[arg-type]

    return by_length


@record(frozen=True, slots=True)
class Limits:
    """How much a client's schema may ask of the gateway.

    `depth` counts nested schemas, `bytes` the compact JSON in UTF-8, `work` the subschemas visited with every `$ref` followed.
    """

    depth: int = 64
    bytes: int = 262_144
    properties: int = 10_000
    work: int = 100_000
    tools: int = 256


def canonical(schema: Schema, param: str, limits: Limits) -> str:
    """The compact JSON of a schema, its keys in the client's order; InvalidRequest where it is no JSON object or too large."""
    if not isinstance(schema, Mapping):
        raise InvalidRequest(f"Invalid schema: {param} must be an object.", param=param)
    try:
        text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except RecursionError:
        raise _too_deep(param, limits) from None
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"Invalid schema: it is not plain JSON ({clip(str(error))}).", param=param) from error
    if size > limits.bytes:
        raise InvalidRequest(f"Invalid schema: it has {size} bytes, the limit is {limits.bytes}.", param=param)
    containers = 2 * limits.depth - 1
    if text.count("{") + text.count("[") > containers and not _within(schema, containers):
        raise _too_deep(param, limits)
    return text


def _too_deep(param: str, limits: Limits) -> InvalidRequest:
    return InvalidRequest(f"Invalid schema: it is nested more than {limits.depth} levels deep.", param=param)


def _within(schema: object, containers: int) -> bool:
    """Whether no path leads through more containers; a nested object costs two: `properties`, and the schema below it."""
    level = [schema]
    for _ in range(containers):
        level = [child for value in level for child in _children(value) if isinstance(child, dict | list)]
    return not level


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def subschemas(schema: object) -> Iterator[tuple[str, Schema]]:
    """The schemas directly below one, each with the keyword (and name) that holds it; data such as `const` is left out."""
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        if keyword in DATA:
            continue
        if keyword in NAMED:
            pairs = [(f"{keyword}/{name}", item) for name, item in value.items()] if isinstance(value, Mapping) else []
        elif isinstance(value, list):
            pairs = [(f"{keyword}/{index}", item) for index, item in enumerate(value)]
        else:
            pairs = [(keyword, value)]
        yield from ((where, item) for where, item in pairs if isinstance(item, Mapping))


def every(schema: Schema) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """A schema and all below it, with the path of keywords and names that leads there."""
    todo: list[tuple[tuple[str, ...], Schema]] = [((), schema)]
    while todo:
        path, current = todo.pop()
        yield path, current
        todo.extend(((*path, *where.split("/", 1)), below) for where, below in subschemas(current))


def resolve(root: Schema, reference: object) -> Schema | None:
    """What a `$ref` into the same document points at; `None` for any other."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    current: object = root
    for step in reference[1:].split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(current, list) and name.isdecimal() and int(name) < len(current):
            current = current[int(name)]
        elif isinstance(current, Mapping) and name in current:
            current = current[name]
        else:
            return None
    return current if isinstance(current, Mapping) and (reference == "#" or reference.startswith("#/")) else None


def is_plain(schema: Schema) -> bool:
    """Whether the keywords can be read as they stand: no second base for references, no dialect that does not know one of them."""
    stated = f"{schema.get('$schema', '')} {schema.get('$comment', '')}"  # tools of several dialects name them in the comment
    below = [part for _, part in every(schema)]
    foreign = "draft-04" in stated or (_BEFORE_2020.search(stated) and any("prefixItems" in part for part in below))
    return not foreign and not any(isinstance(part.get(word), str) for part in below[1:] for word in ("$id", "id"))


class _Refused(ValueError):
    """A schema that is not admitted, with the reason."""


def admit(schema: Schema, param: str, limits: Limits) -> str:
    """The canonical JSON of a schema that may be used; InvalidRequest naming `param` where it is too large or cannot be compiled."""
    text = canonical(schema, param, limits)
    try:
        _inspect(text, limits)
    except _Refused as error:
        raise InvalidRequest(f"Invalid schema: {error}", param=param) from error
    return text


@remembered
def _inspect(text: str, limits: Limits) -> None:
    """Raises _Refused; schemas come again with every request, so the good ones are remembered."""
    schema = cast(Schema, json.loads(text))
    if _properties(schema) > limits.properties:
        raise _Refused(f"it has more than {limits.properties} properties.")
    try:
        excessive = _work(schema) > limits.work
    except RecursionError:
        excessive = True
    if excessive:
        raise _Refused("its $refs chain or multiply to too many subschemas.")
    try:
        validator(text)
    except ValueError as error:
        raise _Refused(_why(error)) from error


def _properties(schema: Schema) -> int:
    groups = (below.get("properties") for _, below in every(schema))
    return sum(len(group) for group in groups if isinstance(group, Mapping))


def _why(error: Exception) -> str:
    """What the compiler says; its errors are ValueErrors, those about a keyword also say where."""
    if not isinstance(error, jsonschema_rs.ValidationError):
        return clip(str(error), 200)
    closest = _leaves(error)[0]
    place = pointer(closest.instance_path)
    return _message(closest) + (f" (at {clip(place, 200)})" if place else "")


def _work(root: Schema) -> int:
    """How many subschemas a validator may visit with each `$ref` followed; a loop counts once."""
    known: dict[int, int] = {}

    def cost(schema: Schema) -> int:
        if id(schema) not in known:
            known[id(schema)] = 1
            target = resolve(root, schema.get("$ref"))
            below = [item for where, item in subschemas(schema) if not where.startswith(("$defs/", "definitions/"))]
            known[id(schema)] = 1 + sum(map(cost, [*below, *([target] if target is not None else [])]))
        return known[id(schema)]

    return cost(root)


@remembered
def validator(text: str) -> jsonschema_rs.Validator:
    """The compiled validator of a schema's JSON text: formats asserted, nothing fetched, patterns in linear time.

    Patterns that need look-around or back-references run in an engine whose steps are counted; beyond them the value fails.
    """
    try:
        return _compile(text, jsonschema_rs.RegexOptions())
    except jsonschema_rs.ValidationError as error:
        if "regex" not in error.message:
            raise
        return _compile(text, jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS))


def _compile(text: str, patterns: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(text, validate_formats=True, offline=True, mask=_MASK, pattern_options=patterns)


def violations(text: str, value: object, prefix: str = "") -> tuple[Violation, ...]:
    """In what a value breaks the schema with this JSON text, at most 16, each with a JSON pointer under `prefix`."""
    compiled = validator(text)
    if compiled.is_valid(value):
        return ()
    errors = [leaf for error in islice(compiled.iter_errors(value), _MOST_VIOLATIONS) for leaf in _leaves(error)]
    found = (Violation(clip(prefix + pointer(error.instance_path), 200), _message(error)) for error in errors)
    return tuple(dict.fromkeys(islice(found, _MOST_VIOLATIONS))) or (Violation(prefix, "does not match the schema"),)


def _leaves(error: jsonschema_rs.ValidationError) -> list[jsonschema_rs.ValidationError]:
    """Of an `anyOf` or `oneOf` the complaints of the branch that came closest, where one got beyond the value's type."""
    kind = error.kind
    if not isinstance(kind, jsonschema_rs.ValidationErrorKind.AnyOf | jsonschema_rs.ValidationErrorKind.OneOfNotValid):
        return [error]
    here = len(error.instance_path)
    close = [branch for branch in kind.context if branch and not any(_is_foreign(leaf, here) for leaf in branch)]
    return [leaf for item in min(close, key=len) for leaf in _leaves(item)] if close else [error]


def _is_foreign(error: jsonschema_rs.ValidationError, depth: int) -> bool:
    """Whether a branch is about another kind of value altogether."""
    return error.kind.name in ("type", "const", "enum") and len(error.instance_path) <= depth


def _message(error: jsonschema_rs.ValidationError) -> str:
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return f"unknown properties: {', '.join(clip(name, 40) for name in error.kind.unexpected[:5])}"
    return clip(error.message, 300).replace(_MASK, shown(error.instance))


def pointer(path: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def shown(value: object) -> str:
    """A value for a message: compact JSON, at most 80 characters of it."""
    return clip(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def clip(text: str, most: int = _SHOWN) -> str:
    """Text of at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
