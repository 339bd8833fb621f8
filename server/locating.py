"""Where in a document a pydantic error lies, in the document's own terms."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]


def foremost(error: ValidationError, document: object) -> tuple[ErrorDetails, Location]:
    """The error that says most, and the keys and indices that lead to it: of a union's many complaints the one that got deepest."""
    located = [(detail, locate(detail, document)) for detail in error.errors(include_url=False, include_context=False)]
    return max(located, key=lambda pair: len(pair[1]))


def locate(detail: ErrorDetails, document: object) -> Location:
    """The error's location without the names of union members, which stand in no document."""
    found: list[str | int] = []
    node: Any = document
    parts = detail["loc"]
    for index, part in enumerate(parts):
        if _holds(node, part):
            node = node[part]
            found.append(part)
        elif detail["type"] == "missing" and index == len(parts) - 1:
            found.append(part)
    return tuple(found)


def _holds(node: object, part: str | int) -> bool:
    if isinstance(node, Mapping):
        return part in node
    return isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)
