"""What an answer says once parsed: calls, an object, or plain words; the same for live drafts, samples and recorded outputs."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from router.calibration.salvage import salvaged
from router.calibration.words import figure
from router.contract.strictjson import NotJson, glanced
from router.types import Choice, Contract
from router.types.records import record

_MARKS = re.compile(r"\W")
_SCALARS, NESTED = (str, int, float), (dict, list)
Json = object
"""Any parsed JSON value."""


@record(frozen=True, slots=True)
class Call:
    """One function call, or the one object of a JSON answer (then `name` is empty)."""

    name: str
    arguments: Mapping[str, Json]


@record(frozen=True, slots=True)
class Reading:
    """`calls` of the answer, or its `message`; both where calls were only salvaged from a message.

    `parsed` is false where a form was demanded and the text has none.
    """

    calls: tuple[Call, ...]
    message: str | None
    parsed: bool


def read(contract: Contract, choice: Choice) -> Reading:
    """The answer taken apart; never raises, for an answer may be anything.

    Calls bear the names offered where only marks differ: servers write `geo.find` as `geo_find` for models that know no dots.
    """
    reading = _read(contract.kind, contract.form is not None, choice.text)
    if not contract.tools:
        return reading
    offered = frozenset([tool.name for tool in contract.tools])
    if offered.issuperset([call.name for call in reading.calls]):
        return reading
    return replace(reading, calls=tuple(_renamed(reading.calls, offered)))


def _renamed(calls: Iterable[Call], offered: frozenset[str]) -> Iterator[Call]:
    """Each call under the one offered name that differs from its own in nothing but marks."""
    for call in calls:
        alike = [name for name in offered if _MARKS.sub("_", name) == _MARKS.sub("_", call.name)]
        yield Call(alike[0], call.arguments) if call.name not in offered and len(alike) == 1 else call


@lru_cache(maxsize=128)
def _read(kind: str, formed: bool, text: str) -> Reading:
    if kind not in ("tools", "json_schema", "json_object"):
        return Reading((), text, parsed=True)
    try:
        value = _value(text)
    except (ValueError, RecursionError):
        return Reading((), text, parsed=False)
    if kind != "tools":
        return Reading((Call("", value),), None, parsed=True) if isinstance(value, dict) else Reading((), text, parsed=True)
    if formed and isinstance(value, dict) and "message" in value:
        return Reading((), json.dumps(value["message"], ensure_ascii=False), parsed=True)
    return _answer(value, text)


def _value(text: str) -> Json:
    """Also of what a strict parser refuses, such as a key that stands twice."""
    try:
        return glanced(text)
    except NotJson:
        return json.loads(text)


def _answer(value: Json, text: str) -> Reading:
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        return Reading(tuple(_calls(value["tool_calls"])), None, parsed=True)
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return _message(value["message"], parsed=True)
    return _message(text, parsed=False)


def _message(text: str, *, parsed: bool) -> Reading:
    return Reading(tuple(Call(name, arguments) for name, arguments in salvaged(text)), text, parsed)


def _calls(found: list[Json]) -> Iterator[Call]:
    for call in found:
        if isinstance(call, dict):
            arguments = call.get("arguments")
            yield Call(str(call.get("name")), arguments if isinstance(arguments, dict) else {"": arguments})


def leaves(value: Json) -> list[Json]:
    """All scalars inside a JSON value, depth first."""
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return [value]
    found: list[Json] = []
    for inner in value:
        if inner is None or isinstance(inner, _SCALARS):  # first, for most are scalars, and a Mapping is asked for slowly
            found.append(inner)
        else:
            found += leaves(inner)
    return found


def normal(value: Json) -> Json:
    """A hashable form in which 5 and 5.0, letter case, outer spaces and the order of keys do not matter."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), repr(normal(inner))) for key, inner in value.items()))
    if isinstance(value, list | tuple):
        return tuple(normal(inner) for inner in value)
    if isinstance(value, str):
        return " ".join(value.casefold().split()).rstrip(".")
    return figure(value) if isinstance(value, int) and not isinstance(value, bool) else value
