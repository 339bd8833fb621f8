"""The door: who has no valid key gets no further, whatever the path; what only administrators may see needs a key of theirs."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from router.errors import AccessDenied
from server.access.keys import Key, Keyring
from server.api import errors
from server.api.exchange import HEADERS, KEY

OPEN = frozenset({"/healthz", "/readyz"})
"""What balancers ask; they have no key."""
ADMIN = ("/metrics", "/dashboard")


class Door:
    """Puts the caller's key into the request's state.

    `keys` are those in force; `refused` hears the code of every refusal and the client's address.
    """

    def __init__(self, app: ASGIApp, keys: Callable[[], Keyring], wall: Callable[[], float], refused: Callable[[str, str], None]) -> None:
        self._app, self._keys, self._wall, self._refused = app, keys, wall, refused

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let in or answer for the application."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            try:
                scope["state"][KEY] = self._let_in(scope)
            except AccessDenied as refusal:
                self._refused(refusal.code, address(scope))
                return errors.response(refusal)(scope, receive, send)
        return self._app(scope, receive, send)

    def _let_in(self, scope: Scope) -> Key:
        key = self._keys().find(bearer(scope["state"][HEADERS]), self._wall())
        if scope["path"].startswith(ADMIN) and not key.admin:
            raise AccessDenied("this needs an administrator's key")
        return key


def address(scope: Scope) -> str:
    """The client's address, as far as it is known: "" behind a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def bearer(headers: Mapping[bytes, bytes]) -> str:
    """The key of the Authorization header; "" where there is none."""
    scheme, _, text = headers.get(b"authorization", b"").partition(b" ")
    return text.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
