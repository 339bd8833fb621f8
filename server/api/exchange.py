"""One HTTP exchange's mechanics: the body within its limit, the media type, the request's id."""

import re

from fastapi import Request
from starlette.requests import ClientDisconnect

from router.errors import ClientGone, RequestTooLarge
from server.api.errors import unsupported_media_type

_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def accepted_id(given: str | None) -> str | None:
    """The client's own request id, if it may stand in a header and in a log."""
    return given if given and _SANE.fullmatch(given) else None


def owner_of(request: Request) -> str:
    """The name of the key that the request came with; "" where everyone may ask."""
    key = getattr(request.state, "key", None)
    return str(key.name) if key is not None else ""


async def read(request: Request, limit: int) -> bytes:
    """The whole body; raises RequestTooLarge beyond `limit` bytes without reading on, and 415 for what is no JSON by its own account."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise unsupported_media_type(request)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    found = bytearray()
    try:
        async for piece in request.stream():
            found += piece
            if len(found) > limit:
                raise _too_large(limit)
    except ClientDisconnect as error:
        raise ClientGone("the client left before its request was whole") from error
    return bytes(found)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body is larger than {limit} bytes")
