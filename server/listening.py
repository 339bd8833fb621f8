"""Accepting what has come: as many new connections in a turn of the event loop as asyncio's own would, not one.

uvloop's loop (libuv since 1.45) takes one connection a turn, however many wait, and a turn serves everyone who is connected already: of
64 clients that connect at once to a busy server the last waited for 64 turns. Several workers that share a port stay with one: who has
less to do turns faster and takes more of them, so that they come to be spread evenly.
"""

import asyncio
from socket import socket

import uvicorn

AT_ONCE = 16
"""New connections in a turn: each further one costs every new connection a call of the kernel that finds nothing."""


class Listening(uvicorn.Server):
    """A server that listens with several descriptors of each of its sockets, for each of which the loop takes a connection a turn."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start, and open the further descriptors; as uvicorn has it, `shutdown` closes them."""
        await super().startup(sockets)
        bound = [one for server in self.servers for one in server.sockets]
        for one in bound * (AT_ONCE - 1):
            self.servers.append(await self._listening(one))

    async def _listening(self, bound: socket) -> asyncio.Server:
        config = self.config
        return await asyncio.get_running_loop().create_server(self._connection, sock=bound.dup(), ssl=config.ssl, backlog=config.backlog)

    def _connection(self) -> asyncio.Protocol:
        made = self.config.http_protocol_class
        return made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]
