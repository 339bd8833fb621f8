"""Calls that a model wrote as text where none could be parsed: `<tool_call>` blocks and Python's notation of dicts instead of JSON.

Only features look at them: such an answer breaks its contract and is never kept as calls.
"""

import ast
import json
import re
from collections.abc import Iterator

_BLOCK = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|$)", re.DOTALL)
_LITERALS = {"true": True, "false": False, "null": None}
_LONGEST = 20_000


def salvaged(text: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Names and arguments of the calls that can still be read out of a message; never raises."""
    start = text.lstrip()
    if len(text) > _LONGEST or ("<tool_call>" not in text and start[:1] not in ("[", "{")):
        return
    for block in _BLOCK.findall(text) or [start.rstrip()]:
        yield from _calls(_literal(block))


def _calls(value: object) -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _calls(inner)
    elif isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        yield from _calls(value["tool_calls"])
    elif isinstance(value, dict) and isinstance(value.get("name"), str):
        arguments = value.get("arguments", value.get("parameters"))
        yield value["name"], {str(key): inner for key, inner in arguments.items()} if isinstance(arguments, dict) else {}


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _python(text)


def _python(text: str) -> object:
    """A literal of Python with JSON's words for true, false and null."""
    try:
        tree = ast.parse(text, mode="eval")
        return ast.literal_eval(_Words().visit(tree))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


class _Words(ast.NodeTransformer):
    """JSON's bare words as Python's."""

    def visit_Name(self, node: ast.Name) -> ast.AST:  # the name is ast's
        return ast.Constant(_LITERALS[node.id]) if node.id in _LITERALS else node
