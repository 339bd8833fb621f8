"""One signed question to the operator's own HTTP service, at a configured address and nowhere else."""

import hashlib
import hmac
import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, with_config

from router.asking import Dollars
from router.errors import ConfigError
from router.ports import CannotPost, Services
from router.registry import resolved
from router.types import Tab

SIGNATURE = "x-smallfirst-signature"
Seconds = Annotated[float, Field(gt=0, le=60)]
Retries = Annotated[int, Field(ge=0, le=3)]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Hook:
    """An address and how it is asked: `timeout` in seconds for each try, `secret_env` names the variable with the signing key.

    `location: outside` (the default: an address does not say where it is) is never asked about requests that must stay inside.
    """

    url: str
    secret_env: str | None = None
    timeout: Seconds = 2.0
    retries: Retries = 1
    location: Literal["inside", "outside"] = "outside"
    cost: Dollars = 0.0

    def check(self, services: Services) -> None:
        """ConfigError naming the option that cannot be served."""
        try:
            parts = urlsplit(self.url)
            fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fit = False
        if not fit or parts.username or parts.password or parts.fragment or not self.url.isascii() or not self.url.isprintable():
            raise ConfigError("must be an http(s) address without credentials or fragment", param="url")
        if self.secret_env is not None:
            resolved("secret_env", services.secret, self.secret_env)


@dataclass(frozen=True, slots=True)
class Posted:
    """The body of a 200 answer, or `None` with the failure in one word; `cost` in dollars for all tries."""

    body: bytes | None
    failure: str = ""
    cost: float = 0.0


async def post(services: Services, hook: Hook, document: Mapping[str, object], tab: Tab) -> Posted:
    """Send the document as JSON, signed over the exact bytes; tries again after no answer, 429 and 5xx; each try is put on the tab.

    A byte order mark before the answer is passed over, as of every JSON that comes here.
    """
    body = json.dumps(document, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", **_signed(services, hook, body)}
    failure = ""
    for tried in range(1, hook.retries + 2):
        tab.add(hook.cost)
        try:
            status, answer = await services.post(hook.url, body, headers, hook.timeout)
        except CannotPost:
            failure = "unreachable"
            continue
        if status == 200:
            return Posted(answer.removeprefix(BOM_UTF8), cost=tried * hook.cost)
        failure = f"status_{status}"
        if status != 429 and status < 500:
            break
    return Posted(None, failure, tried * hook.cost)


def _signed(services: Services, hook: Hook, body: bytes) -> dict[str, str]:
    if hook.secret_env is None:
        return {}
    key = services.secret(hook.secret_env).encode()
    return {SIGNATURE: "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()}
