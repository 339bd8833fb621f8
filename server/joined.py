"""What is written to a client in one turn of the event loop goes to the kernel at once."""

import asyncio


class Joined:
    """Of a transport what is asked here. Its writes of one turn of the event loop are one: an answer's head and body, all of a stream's.

    The HTTP server writes each apart, and each is a call of the kernel that wakes the client.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._waiting = transport, loop, list[bytes]()
        self.is_closing, self.abort = transport.is_closing, transport.abort

    def write(self, data: bytes) -> None:
        """Soon."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def write_whole(self, data: bytes) -> None:
        """Now, for nothing more will come soon."""
        if self._waiting:
            self._waiting.append(data)
            self._flush()
        elif not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """What was written is still sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self.is_closing():
            self._transport.write(b"".join(waiting))
