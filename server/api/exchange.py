"""One HTTP exchange's mechanics: what a handler has of it, the body within its limit, the media type, the request's id."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Receive, Scope

from router.errors import AccessDenied, ClientGone, RequestTooLarge, RequestTooSlow
from router.limits import Limits, within
from router.types import GenerationRequest
from router.types.records import record
from server.access.keys import Key
from server.api.errors import unsupported_media_type
from server.api.parts import Parts

HEADERS = "headers"
"""Under this name of an exchange's state are its headers by name."""
KEY = "key"
"""Under this one is the key that let it in."""
LATE = "late"
"""Under this one a server that times bodies, and hands on an empty piece then, says why it waits no longer."""

_JSON = b"application/json"
_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


@record(frozen=True, slots=True)
class Exchange:
    """ASGI's own, the parts of the application that serves it, and what was found out before: the first header of each name, which is
    in small letters, and the key that it came with, `None` where everyone may ask.
    """

    scope: Scope
    receive: Receive
    parts: Parts
    headers: Mapping[bytes, bytes]
    key: Key | None

    @property
    def owner(self) -> str:
        """The key's name; "" where everyone may ask."""
        return "" if self.key is None else self.key.name


def exchange(scope: Scope, receive: Receive) -> Exchange:
    """What a handler has of it."""
    state = scope["state"]
    return Exchange(scope, receive, scope["app"].parts, state[HEADERS], state.get(KEY))


async def _of_framework(request: Request) -> Exchange:
    return exchange(request.scope, request.receive)


Asking = Annotated[Exchange, Depends(_of_framework)]
"""A handler's parameter."""


def accepted_id(given: str) -> str | None:
    """The client's own request id, if it may stand in a header and in a log."""
    return given if _SANE.fullmatch(given) else None


def scoped(asked: GenerationRequest, key: Key, targets: Sequence[str] = ()) -> GenerationRequest:
    """The request within what its key allows; raises AccessDenied where that is not its route, or none of its route's `targets`."""
    if not key.permits(asked.route):
        raise AccessDenied(f"this key may not use the route {asked.route!r}", param="model")
    return replace(within(asked, Limits(key.tiers, key.target, key.inside_only), targets), owner=key.name)


async def read(asking: Exchange, limit: int) -> bytes:
    """The whole body; raises 415 for what is no JSON by its own account, and for what is compressed.

    Raises RequestTooLarge beyond `limit` bytes without reading on, and RequestTooSlow where the server says that it takes too long.
    """
    headers, state, receive = asking.headers, asking.scope["state"], asking.receive
    if (kind := headers.get(b"content-type", _JSON)) != _JSON and not _is_json(kind):
        raise unsupported_media_type(f"send application/json, not {kind.decode('latin-1')!r}")
    if b"content-encoding" in headers and (coding := headers[b"content-encoding"].strip().lower()) != b"identity":
        raise unsupported_media_type(f"send the body as it is, not with content-encoding {coding.decode('latin-1')!r}")
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    left, more = limit, True
    while more:
        message = await receive()
        if LATE in state:
            raise RequestTooSlow(state[LATE])
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left before its request was whole")
        piece, more = message.get("body", b""), message.get("more_body", False)
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            raise _too_large(limit)
    return b"".join(pieces)


def _is_json(kind: bytes) -> bool:
    named = kind.partition(b";")[0].strip().lower()
    return named == _JSON or named.endswith(b"+json")


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body is larger than {limit} bytes")
