"""What of a request's head leaves in doubt where it ends or for whom it is: another server on its way may have read it otherwise.

Its parser lets pass what RFC 9112 has refused: several Host fields or none (3.2), transfer codings beside `chunked` (6.1).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

Header = tuple[bytes, bytes]

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?")
"""RFC 9110, 7.2: a name or an address, and a port."""
TELLING = frozenset({b"host", b"transfer-encoding", b"expect"})
"""Headers of these names say how a request is framed."""
_VERSIONS = frozenset({"1.0", "1.1"})


class Framing(NamedTuple):
    """What is wrong with a request's head, for people, `None` where nothing is; and how its body comes.

    `expects` is whether the client sends it only when it is told to go on (RFC 9110, 10.1.1).
    """

    doubt: str | None
    expects: bool
    chunked: bool


@lru_cache(64)
def framed(found: tuple[Header, ...], version: str) -> Framing:
    """Of a request that has these telling headers, whose names are in small letters: clients send the same ones again and again."""
    expects = any(name == b"expect" and value.lower() == b"100-continue" for name, value in found)
    return Framing(_doubt(found, version), expects, any(name == b"transfer-encoding" for name, _ in found))


def _doubt(found: Sequence[Header], version: str) -> str | None:
    hosts = [value for name, value in found if name == b"host"]
    codings = [value.strip().lower() for name, value in found if name == b"transfer-encoding"]
    if version not in _VERSIONS:
        return f"HTTP/{version} is not spoken here, but HTTP/1.1 is"
    if len(hosts) > 1 or not (hosts or version == "1.0"):
        return f"a request has one Host header, this has {len(hosts) or 'none'}"
    if hosts and not _HOST.fullmatch(hosts[0]):
        return "the Host header is no name or address, with or without a port"
    if codings and (codings != [b"chunked"] or version == "1.0"):
        return "of the transfer codings only chunked is known here, once and in HTTP/1.1"
    return None


class Trailers(list[Header]):
    """Takes what comes as headers after a body, and keeps none of it, as RFC 9110, 6.5.1, has it."""

    def append(self, header: Header) -> None:
        """Dropped."""
