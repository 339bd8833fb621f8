"""Watches a running answer for the point from which nothing can make it keep its contract any more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from router.contract import toolcalls
from router.contract.jsonprefix import JsonPrefix
from router.contract.schema import is_plain
from router.contract.strictjson import NotJson, glanced
from router.types import Contract, Schema

_JSON = frozenset({"json_object", "json_schema", "tools"})


class Prefix:
    """One answer of one contract, fed as it comes.

    Errs on the side of patience: what it gives up on is lost, what it lets pass is still to be checked. JSON is followed in syntax, types,
    known and required names, constants and enumerations; a choice letter by letter; patterns and grammars not at all.
    """

    __slots__ = ("_contract", "_json", "_text")

    def __init__(self, contract: Contract) -> None:
        self._contract, self._text = contract, ""
        self._json = JsonPrefix(_readable(contract)) if contract.kind in _JSON else None

    def feed(self, text: str) -> bool:
        """Take the next piece; False once no continuation can keep the contract, and from then on."""
        if self._json is not None:
            return self._json.feed(text)
        if self._contract.kind != "choice":
            return True
        self._text += text
        return any(choice.startswith(self._text) for choice in self._contract.choices)


def stopped(contract: Contract, text: str, stops: Sequence[str]) -> bool:
    """Whether one of the client's stop texts, which are left out, may have ended this answer before its time."""
    if contract.kind in _JSON:
        try:
            glanced(text)
        except NotJson:
            pass
        else:
            return False
    return any(Prefix(contract).feed(text + stop) for stop in stops)


@lru_cache(maxsize=64)
def _readable(contract: Contract) -> Schema:
    """The contract's schema, or that of anything where its keywords cannot be read as they stand."""
    if contract.schema is None or not is_plain(contract.schema):
        return {}
    return contract.schema if contract.kind != "tools" or contract.form is not None else toolcalls.with_words(contract.schema)
