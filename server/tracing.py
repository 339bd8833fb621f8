"""The id of the HTTP exchange under way, for whatever writes about it."""

from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id that the answer bears; "" outside of an exchange."""
    return _current.get()


def enter(found: str) -> None:
    """This task and those it starts belong to that exchange."""
    _current.set(found)
