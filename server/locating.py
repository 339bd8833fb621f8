"""Where in a document a pydantic error lies, in the document's own terms."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]


def foremost(error: ValidationError, document: object) -> tuple[ErrorDetails, Location]:
    """The error that says most, and the keys and indices that lead to it.

    Of a union's many complaints that is the one that got deepest; of those equally deep what is given and known but not taken, rather than
    what is missing in its place, and not that the value is of another type altogether.
    """
    located = [(detail, locate(detail, document)) for detail in error.errors(include_url=False)]
    return max(located, key=lambda pair: (len(pair[1]), _weight(pair[0]["type"])))


def _weight(kind: str) -> int:
    return 2 if kind == "none_required" else not kind.endswith("_type")


def locate(detail: ErrorDetails, document: object) -> Location:
    """The error's location: without the names of union members, which stand in no document, with the field that tells them apart."""
    found: list[str | int] = []
    node: Any = document
    parts = detail["loc"]
    for index, part in enumerate(parts):
        if _holds(node, part) and not _names_a_member(detail, node, index):
            node = node[part]
            found.append(part)
        elif detail["type"] == "missing" and index == len(parts) - 1:
            found.append(part)
    return (*found, *_telling(detail))


def _names_a_member(detail: ErrorDetails, node: Any, index: int) -> bool:
    """Whether this part of the location is a union member's name although a field is called so too: what follows is beside the field."""
    part, rest = detail["loc"][index], detail["loc"][index + 1 :]
    if not rest or isinstance(node[part], Mapping | list | tuple):
        return False
    return _holds(node, rest[0]) or (detail["type"] == "missing" and len(rest) == 1)


def _telling(detail: ErrorDetails) -> tuple[str, ...]:
    """The field by which a union's members are known, where it is at fault; a function that looks for it reads `type`."""
    if detail["type"] not in ("union_tag_invalid", "union_tag_not_found"):
        return ()
    name = str(detail.get("ctx", {}).get("discriminator", "")).strip("'")
    return (name if name.isidentifier() else "type",)


def _holds(node: object, part: str | int) -> bool:
    if isinstance(node, Mapping):
        return part in node
    return isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)
