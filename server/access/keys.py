"""API keys: what each may do, and which of them a text is; only hashes are kept.

A key is `sk-sf-ID-SECRET`. The id is no secret and says where to look; the secret has 256 random bits, so that a fast hash is as good as a
slow one: nobody can go through them. The hash is BLAKE2b under the id as its key (RFC 7693), compared in constant time.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from router.errors import InvalidKey

PREFIX = "sk-sf-"
ID_LENGTH = 8
LONGEST = 256
NOBODY = b"\0" * 32
"""The hash of no key: compared where the id is unknown, so that this takes as long."""

Period = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may spend in a period; `None` is no limit."""

    usd: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """Who asks, and what they may: `routes` and `tiers` of `None` are all there are, `rate` is in requests a minute.

    `admin` opens the administrative endpoints; `inside_only` and `target` (by name) tighten what the routes allow. Periods are UTC's.
    """

    name: str
    admin: bool = False
    routes: frozenset[str] | None = None
    tiers: frozenset[str] | None = None
    rate: int | None = None
    budgets: Mapping[Period, Allowance] = field(default_factory=dict)
    inside_only: bool = False
    target: str | None = None

    def permits(self, route: str) -> bool:
        """Whether this route may be asked."""
        return self.routes is None or route in self.routes


@dataclass(frozen=True, slots=True)
class Secret:
    """One of a key's secrets by its hash; it opens until `expires`, in seconds since the epoch, `None` for ever."""

    id: str
    hash: bytes
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys; `secrets` by id, each with its key."""

    secrets: Mapping[str, tuple[Secret, Key]]

    @classmethod
    def of(cls, keys: Iterable[tuple[Key, Iterable[Secret]]]) -> "Keyring":
        """The ring of these keys."""
        return cls({secret.id: (secret, key) for key, held in keys for secret in held})

    @property
    def keys(self) -> list[Key]:
        """Each key once, in order."""
        return list({key.name: key for _, key in self.secrets.values()}.values())

    def find(self, text: str, now: float) -> Key:
        """The key that the text is; raises InvalidKey."""
        secret, key = self.secrets.get(identity(text), (None, None))
        if not hmac.compare_digest(hashed(text[:LONGEST]), secret.hash if secret else NOBODY) or secret is None or key is None:
            raise InvalidKey("the API key is missing or wrong; send it as `Authorization: Bearer …`")
        if secret.expires is not None and now >= secret.expires:
            raise InvalidKey("this API key has expired")
        return key


def made() -> tuple[str, Secret]:
    """A new key, and what is kept of it."""
    name = secrets.token_hex(ID_LENGTH // 2)
    text = f"{PREFIX}{name}-{secrets.token_urlsafe(32)}"
    return text, Secret(name, hashed(text))


def identity(text: str) -> str:
    """The id that a key says it has; "" where it is none of ours."""
    start = len(PREFIX)
    return text[start : start + ID_LENGTH] if text.startswith(PREFIX) and text[start + ID_LENGTH : start + ID_LENGTH + 1] == "-" else ""


def hashed(text: str) -> bytes:
    """What is kept of a key: 32 bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32, key=identity(text).encode("utf-8", "surrogatepass")).digest()
