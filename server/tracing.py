"""The HTTP exchange under way, for whatever writes about it: the id of its answer, and the trace that its client began."""

from collections.abc import Iterable
from contextvars import ContextVar

Headers = Iterable[tuple[bytes, bytes]]

_current: ContextVar[str] = ContextVar("request_id", default="")
_headers: ContextVar[Headers] = ContextVar("headers", default=())


def request_id() -> str:
    """The id that the answer bears; "" outside of an exchange."""
    return _current.get()


def traceparent() -> str:
    """The client's header of that name (W3C Trace Context); "" where it sent none."""
    return next((value.decode("latin-1") for name, value in _headers.get() if name == b"traceparent"), "")


def enter(found: str, headers: Headers = ()) -> None:
    """This task and those it starts belong to that exchange."""
    _current.set(found)
    _headers.set(headers)
