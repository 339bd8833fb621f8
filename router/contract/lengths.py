"""A lower bound of how long a valid answer is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from router.contract.schema import is_plain, resolve
from router.types import Contract, Schema

_PLAIN = {"boolean": 4, "null": 4, "number": 1, "integer": 1}
_LEVELS = 12


@lru_cache(maxsize=64)
def shortest(contract: Contract) -> int:
    """Characters that the shortest answer has at least; 0 where nothing is known."""
    if contract.kind == "choice":
        return min(map(len, contract.choices))
    if contract.schema is None or not is_plain(contract.schema):
        return 0
    return _of(contract.schema, contract.schema, _LEVELS)


def _of(root: Schema, schema: object, left: int) -> int:
    """Below `left` levels, where loops of references end, any value counts as one character."""
    if not isinstance(schema, Mapping) or not left:
        return 1
    if "const" in schema:
        return _length(schema["const"])
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return min(map(_length, schema["enum"]))
    target = resolve(root, schema.get("$ref"))
    bounds = [_of(root, target, left - 1)] if target is not None else [_own(root, schema, left - 1)]
    branches = [schema[word] for word in ("anyOf", "oneOf") if isinstance(schema.get(word), list) and schema[word]]
    return max(*bounds, *(min(_of(root, arm, left - 1) for arm in arms) for arms in branches), 0)


def _own(root: Schema, schema: Schema, left: int) -> int:
    kind = schema.get("type")
    if kind == "object":
        return _object(root, schema, left)
    if kind == "array":
        least = _count(schema.get("minItems"))
        return 2 + least * _of(root, schema.get("items"), left) + max(least - 1, 0)
    if kind == "string":
        return 2 + _count(schema.get("minLength"))
    return _PLAIN.get(kind, 1) if isinstance(kind, str) else 1


def _object(root: Schema, schema: Schema, left: int) -> int:
    required, properties = schema.get("required"), schema.get("properties")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    known = properties if isinstance(properties, Mapping) else {}
    return 2 + sum(_length(name) + 1 + _of(root, known.get(name), left) for name in names) + max(len(names) - 1, 0)


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0


def _length(value: object) -> int:
    """Numbers count by their sign and one digit: 1000 may be written 1e3."""
    if isinstance(value, Mapping):
        return 1 + max(1, sum(_length(name) + _length(item) + 2 for name, item in value.items()))
    if isinstance(value, list):
        return 1 + max(1, sum(_length(item) + 1 for item in value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 2 if value < 0 else 1
    return len(json.dumps(value, ensure_ascii=False))
