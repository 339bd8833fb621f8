"""The addresses of hosts, asked for as connections are opened, so that a host may move."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from socket import SOCK_STREAM


@dataclass(slots=True)
class Names:
    """Asks for one name once at a time.

    A resolver that is silent holds a thread for many seconds, whoever still waits for it, and there are but a few threads: asked for every
    call anew, one engine's name would take those that the other engines' names need.
    """

    _asked: dict[str, asyncio.Task[list[str]]] = field(default_factory=dict, repr=False)

    async def addresses(self, host: str, port: int) -> list[str]:
        """Those that a name stands for, the best first; an address stands for itself. Raises OSError and UnicodeError."""
        with suppress(ValueError):
            ip_address(host)
            return [host]
        asked = self._asked.get(host)
        if asked is None:
            asked = self._asked[host] = asyncio.create_task(_found(host, port))
            asked.add_done_callback(partial(self._answered, host))
        await asyncio.wait([asked])
        try:
            return asked.result()
        finally:
            del asked  # which has the error, which has this frame

    def close(self) -> None:
        """Wait for no answer any longer."""
        for asked in self._asked.values():
            asked.cancel()

    def _answered(self, host: str, asked: asyncio.Task[list[str]]) -> None:
        """Whoever comes now asks anew; that nobody waited for an error is none."""
        self._asked.pop(host, None)
        if not asked.cancelled():
            asked.exception()


async def _found(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return [str(known[-1][0]) for known in found]
