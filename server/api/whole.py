"""An answer that is known whole: its server is handed head and body in one message, where it says that it takes them so.

An extension of ASGI's in its own form: `http.response.start` with the `body` beside `status` and `headers`, and nothing after it. The
answer's own length is among its headers.
"""

from collections.abc import Awaitable, Iterable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

WHOLE = "smallfirst.whole"
"""Its name among the scope's `extensions`, of a server that takes it."""


class Whole(Response):
    """Such an answer, with headers that are encoded already."""

    def __init__(self, body: bytes, headers: Iterable[tuple[bytes, bytes]], media_type: bytes = b"application/json") -> None:
        self.status_code, self.body, self.background = 200, body, None
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(body)), (b"content-type", media_type)]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # type: ignore[override]  # ASGI asks no more
        """In one message, where the server takes it so."""
        if WHOLE in scope.get("extensions", ()):
            return send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers, "body": self.body})
        return super().__call__(scope, receive, send)
