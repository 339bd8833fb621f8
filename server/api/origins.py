"""Which web pages may ask: a page that somebody opened must not use the gateway of their machine behind their back.

Without keys a browser is all that an attacker needs. Pages of other origins are refused unless the configuration lists them, even where
the browser would not show them the answer; and on this machine's own address, with neither keys nor `access.open`, the name that was asked
for must be this machine's, so that no foreign name can be made to lead here (DNS rebinding). Applications that are no web pages send
origins of other schemes, or none.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from router.errors import AccessDenied
from server.api import errors
from server.api.door import address
from server.api.exchange import HEADERS

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Origins:
    """Refuses other pages than those of `allowed` and of the gateway itself; with `private` also names that are not this machine's."""

    def __init__(self, app: ASGIApp, allowed: Collection[str], private: bool, refused: Callable[[str, str], None]) -> None:
        self._app, self._allowed, self._private, self._refused = app, allowed, private, refused

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let in or answer for the application."""
        if scope["type"] == "http" and (self._private or b"origin" in scope["state"][HEADERS]):
            refusal = self._objection(scope["state"][HEADERS])
            if refusal is not None:
                self._refused(refusal.code, address(scope))
                return errors.response(refusal)(scope, receive, send)
        return self._app(scope, receive, send)

    def _objection(self, headers: Mapping[bytes, bytes]) -> AccessDenied | None:
        host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin", b"").decode("latin-1")
        if self._private and not local(host):
            return AccessDenied("this gateway answers to the names of its own machine alone: set access.keys_file, or access.open")
        if origin and origin not in self._allowed and _is_page(origin) and urlsplit(origin).netloc != host:
            return AccessDenied("pages of other origins may not ask: list theirs in listen.origins")
        return None


def local(host: str) -> bool:
    """Whether a Host header, with or without a port, is a name of this machine."""
    try:
        return urlsplit(f"//{host}").hostname in LOCAL
    except ValueError:
        return False


def _is_page(origin: str) -> bool:
    """`null` is what pages without an origin of their own send, sandboxed frames among them."""
    return origin == "null" or origin.startswith(("http://", "https://"))
