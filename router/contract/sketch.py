"""A schema as a person would jot it down: for prompts of small models, which read little; the decoder and the checks hold to the schema."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.contract.schema import resolve
from router.types import Schema, Tool

MOST = 2_000
"""Schemas that are told at most; references could make more of a few lines than anybody reads."""
_BOUNDS = (("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum"), ("minItems", "maxItems"))
_JOINTS = (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & "))


def sketch(schema: Schema) -> str:
    """`{city: string (a city), days?: integer 1..7, unit: "c"|"f"}`: names, types, choices, bounds, defaults and descriptions.

    References are written out where they stand, but not inside themselves; what cannot be told in short is `any`.
    """
    return _Pen(schema).told(schema)


def signature(tool: Tool) -> str:
    """`name(city: string, days?: integer 1..7): what it does`."""
    arguments = ", ".join(_Pen(tool.parameters).members(tool.parameters))
    return f"{tool.name}({arguments})" + (f": {' '.join(tool.description.split())}" if tool.description else "")


@dataclass(slots=True)
class _Pen:
    """Writes what stands below one root; `open` are the references that it is inside of."""

    root: Schema
    open: tuple[object, ...] = ()
    left: int = MOST

    def told(self, schema: object) -> str:
        self.left -= 1
        if not isinstance(schema, Mapping) or self.left < 0:
            return "any"
        if "$ref" in schema:
            return self._referred(schema["$ref"])
        if "const" in schema:
            return _json(schema["const"])
        if isinstance(schema.get("enum"), Sequence):
            return "|".join(map(_json, schema["enum"]))
        for keyword, joint in _JOINTS:
            if isinstance(arms := schema.get(keyword), Sequence):
                return joint.join(map(self.told, arms))
        return self._typed(schema, schema.get("type"))

    def members(self, schema: Schema) -> Iterator[str]:
        """The properties of an object."""
        properties, required = schema.get("properties"), schema.get("required")
        needed = required if isinstance(required, Sequence) else ()
        for name, inner in properties.items() if isinstance(properties, Mapping) else ():
            yield f"{name}{'' if name in needed else '?'}: {self.told(inner)}{_said(inner)}"

    def _referred(self, reference: object) -> str:
        if reference in self.open:
            return "any"
        before = self.open
        self.open = (*before, reference)
        found = self.told(resolve(self.root, reference))
        self.open = before
        return found

    def _typed(self, schema: Schema, kind: object) -> str:
        if isinstance(kind, Sequence) and not isinstance(kind, str):
            return " | ".join(self._typed(schema, one) for one in kind)
        if kind == "object" or (kind is None and "properties" in schema):
            members = list(self.members(schema))
            return f"{{{', '.join(members)}}}" if members else "object"
        if kind == "array":
            return f"[{self.told(schema.get('items'))}]{_bounds(schema)}"
        if kind == "string":
            shape = schema.get("format") or schema.get("pattern")
            return f"string {shape}" if isinstance(shape, str) else "string"
        return f"{kind}{_bounds(schema)}" if isinstance(kind, str) else "any"


def _said(schema: object) -> str:
    """A member's default and description."""
    if not isinstance(schema, Mapping):
        return ""
    default = f" = {_json(schema['default'])}" if "default" in schema else ""
    told = schema.get("description")
    return default + (f" ({' '.join(told.split())})" if isinstance(told, str) and told.strip() else "")


def _bounds(schema: Schema) -> str:
    for low, high in _BOUNDS:
        if low in schema or high in schema:
            return f" {_plain(schema.get(low))}..{_plain(schema.get(high))}"
    return ""


def _plain(value: object) -> str:
    return "" if value is None else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
