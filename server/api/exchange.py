"""One HTTP exchange's mechanics: the body within its limit, the media type, the request's id."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

from fastapi import Request
from starlette.types import Receive

from router.errors import AccessDenied, ClientGone, RequestTooLarge, RequestTooSlow
from router.limits import Limits, within
from router.types import GenerationRequest
from server.access.keys import Key
from server.api.errors import unsupported_media_type

_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def accepted_id(given: str | None) -> str | None:
    """The client's own request id, if it may stand in a header and in a log."""
    return given if given and _SANE.fullmatch(given) else None


def key_of(request: Request) -> Key | None:
    """The key that the request came with; `None` where everyone may ask."""
    found: Key | None = request.scope.get("state", {}).get("key")
    return found


def header(request: Request, name: bytes, otherwise: bytes = b"") -> str:
    """The first header of that name, which is in small letters."""
    for given, value in request.scope["headers"]:
        if given == name:
            return str(value, "latin-1")
    return otherwise.decode("latin-1")


def owner_of(request: Request) -> str:
    """Its name; "" where everyone may ask."""
    key = key_of(request)
    return "" if key is None else key.name


def scoped(asked: GenerationRequest, key: Key | None, targets: Sequence[str] = ()) -> GenerationRequest:
    """The request within what its key allows; raises AccessDenied where that is not its route, or none of its route's `targets`."""
    if key is None:
        return asked
    if not key.permits(asked.route):
        raise AccessDenied(f"this key may not use the route {asked.route!r}", param="model")
    return replace(within(asked, Limits(key.tiers, key.target, key.inside_only), targets), owner=key.name)


async def read(request: Request, limit: int, seconds: float = 60.0) -> bytes:
    """The whole body; raises 415 for what is no JSON by its own account, and for what is compressed.

    Raises RequestTooLarge beyond `limit` bytes without reading on, and RequestTooSlow after `seconds`.
    """
    kind = header(request, b"content-type", b"application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise unsupported_media_type(f"send application/json, not {header(request, b'content-type')!r}")
    coding = header(request, b"content-encoding", b"identity").strip().lower()
    if coding != "identity":
        raise unsupported_media_type(f"send the body as it is, not with content-encoding {coding!r}")
    declared = header(request, b"content-length")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(seconds):
            return await _whole(request.receive, limit)
    except TimeoutError as error:
        raise RequestTooSlow(f"the body took longer than {seconds:g} s") from error


async def _whole(receive: Receive, limit: int) -> bytes:
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left before its request was whole")
        pieces.append(message.get("body", b""))
        size, more = size + len(pieces[-1]), message.get("more_body", False)
        if size > limit:
            raise _too_large(limit)
    return b"".join(pieces)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body is larger than {limit} bytes")
