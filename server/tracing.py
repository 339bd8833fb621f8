"""The HTTP exchange under way, for whatever writes about it: the id of its answer, and the trace that its client began."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

Headers = Mapping[bytes, bytes]

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_current: ContextVar[tuple[str, Headers]] = ContextVar("exchange", default=("", MappingProxyType({})))


def request_id() -> str:
    """The id that the answer bears; "" outside of an exchange."""
    return _current.get()[0]


def traceparent() -> str:
    """The client's header of that name (W3C Trace Context); "" where it sent none."""
    return _current.get()[1].get(b"traceparent", b"").decode("latin-1")


def onward() -> dict[str, str]:
    """The headers that let whoever is asked next go on with the client's trace; none where it sent no valid one."""
    if not _TRACEPARENT.fullmatch(given := traceparent()):
        return {}
    state = _current.get()[1].get(b"tracestate", b"").decode("latin-1")
    kept = {"tracestate": state} if state and state.isascii() and state.isprintable() else {}
    return {"traceparent": given, **kept}


def enter(found: str, headers: Headers) -> None:
    """This task and those it starts belong to that exchange."""
    _current.set((found, headers))
