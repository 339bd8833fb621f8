"""From a worker thread to the event loop: chunks in order, one end, and a flag that stops the work."""

import asyncio
from collections import deque
from concurrent.futures import Future

from router.types import Chunk


class Bridge:
    """One call's way back: `put` and `finish` are for the worker, everything else for the event loop that made the bridge."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[Chunk] = deque()
        self._wake = asyncio.Event()
        self._ended, self._stopped = False, False
        self._error: BaseException | None = None

    def stopped(self) -> bool:
        """Whether nobody waits for more; the worker asks before every token."""
        return self._stopped

    def put(self, chunk: Chunk) -> None:
        """Hand over a chunk."""
        self._chunks.append(chunk)
        self._ring()

    def finish(self, work: Future[None]) -> None:
        """Hand over the end of the work, an error being one too."""
        self._error = self._error or (None if work.cancelled() else work.exception())
        self._ended = True
        self._ring()

    def stop(self, error: BaseException | None = None) -> None:
        """End the work between two tokens; `error` is what the reader gets after the chunks that are there."""
        self._stopped = self._ended = True
        self._error = self._error or error
        self._wake.set()

    async def get(self) -> Chunk | None:
        """The next chunk, None at the end; raises what the work raised."""
        while not self._chunks and not self._ended:
            self._wake.clear()
            await self._wake.wait()
        if self._chunks:
            return self._chunks.popleft()
        if self._error is not None:
            raise self._error
        return None

    def _ring(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)
