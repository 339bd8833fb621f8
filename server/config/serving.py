"""Where and whom the gateway serves, and how much of what."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field, IPvAnyNetwork

from server.config.plain import Origin, Strict


class Drain(Strict):
    """Seconds after SIGTERM: first `delay` in which `/readyz` says no and requests are still taken, then `timeout` to finish them."""

    delay: float = Field(default=0, ge=0, le=600)
    timeout: int = Field(default=30, ge=1, le=3600)


class Internal(Strict):
    """A second address, for metrics, health and the dashboard, none of which are then on the first; no key is asked for on it.

    A wider address than this machine's own needs `open`: whoever can connect may look.
    """

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    open: bool = False


class Tls(Strict):
    """Files in PEM: the certificate with its chain, its private key, and where clients must have certificates who signs those."""

    certificate: str
    key: str
    client_ca: str | None = None


class Listen(Strict):
    """Where to serve, and how many requests may be in flight at once in a process, altogether and of one key.

    A client that takes nothing of its stream for `stall` seconds is taken for gone. What `X-Forwarded-For` and `-Proto` say is believed
    of `proxies` alone, addresses or networks. Pages of `origins`, as `https://app.example`, may ask from a browser; no others may.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    max_concurrency: int = Field(default=256, ge=1)
    max_concurrency_per_key: int | None = Field(default=None, ge=1)
    stall: float = Field(default=60, gt=0, le=3600)
    drain: Drain = Drain()
    internal: Internal | None = None
    tls: Tls | None = None
    proxies: tuple[IPvAnyNetwork, ...] = ()
    origins: tuple[Origin, ...] = ()

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_local(self.host)


def is_local(host: str) -> bool:
    """Whether it is an address, or the name, of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Access(Strict):
    """`keys_file` names the file of keys that clients need; `open` lets everyone in, an Authorization header is then ignored.

    Rates and budgets are counted together with others over the Redis whose URL the variable `redis_env` holds, else through the database
    of the outcomes. While that is lost each process counts alone, or keys with limits are refused (`when_lost: refuse`).
    """

    open: bool = False
    keys_file: str | None = None
    redis_env: str | None = None
    when_lost: Literal["count_alone", "refuse"] = "count_alone"


class Limits(Strict):
    """What one request may contain, and how many seconds its headers and its body may take; beyond it is a clear 4xx before any work.

    `connections` is how many a process keeps; further ones are closed at once.
    """

    connections: int = Field(default=4096, ge=1)
    header_bytes: int = Field(default=32_768, ge=1024, le=1_048_576)
    header_seconds: float = Field(default=10, gt=0, le=600)
    body_seconds: float = Field(default=60, gt=0, le=3600)
    body_bytes: int = Field(default=4_194_304, ge=1024)
    messages: int = Field(default=2048, ge=1)
    tools: int = Field(default=128, ge=1)
    choices: int = Field(default=16, ge=1, le=128)
    schema_depth: int = Field(default=64, ge=1, le=64)
