"""Which alternatives of a JSON Schema a value still in the making may follow; what is not understood stays possible."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Literal

from router.contract.schema import resolve
from router.types import Schema

Opening = Literal["object", "array", "string", "number", "boolean", "null"]
Alternatives = tuple[tuple[int, Schema], ...]
"""Schemas without references and branches of their own, each with the index of the enclosing value's alternative that it belongs to."""

_ANY: Schema = {}
_MOST = 256
_LEVELS = 16


def expand(root: Schema, schema: object, owner: int, left: int = _LEVELS) -> Alternatives:
    """A schema as its alternatives: references followed, `anyOf` and `oneOf` spread; nothing for `false`."""
    if schema is False:
        return ()
    if not isinstance(schema, Mapping) or not left:
        return ((owner, _ANY),)
    if "$ref" in schema:
        return expand(root, resolve(root, schema["$ref"]), owner, left - 1)
    arms = next((schema[word] for word in ("anyOf", "oneOf") if isinstance(schema.get(word), list)), None)
    if arms is None or "properties" in schema:
        return ((owner, schema),)
    spread = tuple(item for arm in arms for item in expand(root, arm, owner, left - 1))
    return spread if len(spread) <= _MOST else ((owner, _ANY),)


def opens(schema: Schema, kind: Opening) -> bool:
    """Whether a value that begins as this kind may follow the schema."""
    allowed = schema.get("type")
    if allowed is None:
        return True
    kinds = allowed if isinstance(allowed, list) else [allowed]
    return kind in kinds or (kind == "number" and "integer" in kinds)


def member(schema: Schema, key: str) -> object:
    """The schema of an object's property; `False` where there may be none."""
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and key in properties:
        return properties[key]
    return _ANY if "patternProperties" in schema else schema.get("additionalProperties", _ANY)


def element(schema: Schema, index: int) -> object:
    """The schema of an array's element."""
    items, first = schema.get("items", _ANY), schema.get("prefixItems")
    if isinstance(items, list):
        return items[index] if index < len(items) else _ANY
    if isinstance(first, list) and index < len(first):
        return first[index]
    return items


def full(schema: Schema, count: int) -> bool:
    """Whether an array of so many elements can take no more."""
    most = schema.get("maxItems")
    return isinstance(most, int | float) and count >= most


def satisfied(schema: Schema, keys: Set[str] | None, count: int) -> bool:
    """Whether an object with these keys, or an array (`None`) of so many elements, may end here."""
    if keys is None:
        least = schema.get("minItems", 0)
        return not isinstance(least, int | float) or count >= least
    required = schema.get("required")
    return not isinstance(required, list) or keys >= set(required)


def fits(schema: Schema, value: object) -> bool:
    """Whether a finished scalar follows the schema's type, constant and enumeration."""
    if "const" in schema and not _same(schema["const"], value):
        return False
    listed = schema.get("enum")
    if isinstance(listed, list) and not any(_same(item, value) for item in listed):
        return False
    kinds = schema.get("type")
    whole = not isinstance(value, float) or value.is_integer()
    return whole or kinds is None or "number" in (kinds if isinstance(kinds, list) else [kinds])


def _same(left: object, right: object) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)
