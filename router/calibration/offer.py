"""What a contract offers, looked at once: the functions' words, parameters and types."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from router.calibration.reading import normal
from router.calibration.words import pieces, shape, stems, words
from router.types import Contract, Schema

_EXAMPLE = re.compile(r"['\"`(]([^'\"`()]{2,40})['\"`)]")
_DEFAULT = re.compile(r"[Dd]efault(?:s|ed)?(?: value)?(?: is| to|:| =)?(?: to)? ['\"`]?([\w.%/ -]{1,30}?)['\"`]?(?:[.,;)]|$)")
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class Parameter(NamedTuple):
    """One argument of a function; `shapes` are the outlines of the examples that its description quotes."""

    name: str
    required: bool
    types: tuple[type, ...]
    enum: frozenset[str]
    defaults: frozenset[str]
    stems: frozenset[str]
    shapes: frozenset[str]

    def is_default(self, value: object) -> bool:
        """Whether a value says what leaving it out would say; `value` in the normal form."""
        return repr(value) in self.defaults or str(value) in self.defaults


class Offered(NamedTuple):
    """One function, or the one object of a JSON contract: the words of its name, of name and description, of all its parameters."""

    name: str
    parameters: Mapping[str, Parameter]
    stems: frozenset[str]
    described: frozenset[str]
    arguments: frozenset[str]
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """All that a request offers, and the features that say how much that is; each is known by itself, not by its like."""

    functions: Mapping[str, Offered]
    features: Mapping[str, float]


def offer(contract: Contract) -> Offer:
    """The contract's functions; a JSON schema counts as one without a name."""
    return contract.once("offer", _known)


def _known(contract: Contract) -> Offer:
    """Also where another object is the same contract, as in records."""
    return _offer(_Key(contract, tuple((tool.name, tool.description) for tool in contract.tools)))


@dataclass(frozen=True, slots=True)
class _Key:
    contract: Contract
    described: tuple[tuple[str, str], ...]


@lru_cache(maxsize=2048)
def _offer(key: _Key) -> Offer:
    contract = key.contract
    functions = {tool.name: _function(tool.name, tool.description, tool.parameters) for tool in contract.tools}
    if not functions and contract.schema:
        functions = {"": _function("", contract.name, contract.schema)}
    parameters = [parameter for function in functions.values() for parameter in function.parameters.values()]
    return Offer(
        functions,
        {
            "tools": float(len(functions)),
            "parameters": math.log1p(len(parameters)),
            "required": math.log1p(sum(parameter.required for parameter in parameters)),
            "enums": float(sum(bool(parameter.enum) for parameter in parameters)),
            "schema_depth": float(max((function.depth for function in functions.values()), default=0)),
        },
    )


def _function(name: str, description: str, schema: Schema) -> Offered:
    properties, required = schema.get("properties"), schema.get("required")
    needed = frozenset(map(str, required)) if isinstance(required, list | tuple) else frozenset()
    inner = properties if isinstance(properties, Mapping) else {}
    parameters = {str(key): _parameter(str(key), value, str(key) in needed) for key, value in inner.items()}
    named = stems(pieces(name))
    inside = frozenset[str]().union(*(parameter.stems for parameter in parameters.values()))
    return Offered(name, parameters, named, named | stems(words(description)), inside, _depth(schema))


def _parameter(name: str, schema: Any, required: bool) -> Parameter:
    if not isinstance(schema, Mapping):
        schema = {}
    description, enum, kind = str(schema.get("description", "")), schema.get("enum"), schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return Parameter(
        name,
        required,
        tuple(found for one in kinds for found in _TYPES.get(str(one), ())),
        frozenset(map(repr, enum)) if isinstance(enum, list) else frozenset(),
        _defaults(schema, description),
        stems(pieces(name)) | stems(words(description)),
        frozenset(shape(example) for example in _EXAMPLE.findall(description) if not example.isalpha()),
    )


def _defaults(schema: Mapping[str, Any], description: str) -> frozenset[str]:
    """The default of the schema and the one its description states ("Default is 5", "defaults to 'metric'"), in the normal form."""
    stated = {text.casefold().rstrip(".") for text in _DEFAULT.findall(description)}
    return frozenset(stated | ({repr(normal(schema["default"]))} if "default" in schema else set()))


def _depth(schema: Any, limit: int = 32) -> int:
    if limit == 0 or not isinstance(schema, Mapping | list):
        return 0
    inner = schema.values() if isinstance(schema, Mapping) else schema
    return (1 if isinstance(schema, Mapping) else 0) + max((_depth(value, limit - 1) for value in inner), default=0)
