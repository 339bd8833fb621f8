"""Log lines on their way out: whoever reads them may be slow, stuck or gone, and a disk below them full; no request waits for that."""

import atexit
import json
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

GATHERED = 0.05
"""Seconds that a line waits for others, so that they go together."""
MOST = 16 * 1024 * 1024
"""Characters that may wait; lines beyond that are lost, and counted."""
WHOLE = select.PIPE_BUF
"""Bytes that are written to a pipe in one, whoever else writes to it."""

_log = logging.getLogger("uvicorn.error")


@dataclass(slots=True)
class Lines:
    """Takes a line and returns at once; a thread, which the first one starts, writes them to the file `descriptor`.

    How many were lost stands in the log as soon as it can be written again, and what failed on the standard error at once. No count is
    changed by two threads.
    """

    descriptor: int = 1
    complain: Callable[[str], object] = _log.error
    _waiting: deque[str] = field(default_factory=deque, init=False)
    _taken: int = field(default=0, init=False)
    _given: int = field(default=0, init=False)
    _refused: int = field(default=0, init=False)
    _failed: int = field(default=0, init=False)
    _told: int = field(default=0, init=False)
    _resting: bool = field(default=True, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _called: threading.Event = field(default_factory=threading.Event, init=False)
    _hurry: threading.Event = field(default_factory=threading.Event, init=False)

    def __call__(self, line: str) -> None:
        """Queue it."""
        if self._taken - self._given > MOST:
            self._refused += 1
            return
        self._taken += len(line)
        self._waiting.append(line)
        if self._resting:
            self._resting = False
            self._wake()

    def flush(self, seconds: float = 2.0) -> None:
        """Wait until all is written, or cannot be; from now on no line waits for others."""
        self._hurry.set()
        end = time.monotonic() + seconds
        while self._given < self._taken and time.monotonic() < end:
            time.sleep(0.002)

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
            atexit.register(self.flush)
        self._called.set()

    def _run(self) -> None:
        while self._called.wait():
            self._called.clear()
            self._hurry.wait(GATHERED)
            self._resting = True  # before the last look: what comes after it calls again
            while lines := self._next():
                self._write([f"{line}\n".encode(errors="backslashreplace") for line in lines])
                self._given += sum(map(len, lines))

    def _next(self) -> list[str]:
        """As many lines as are written in one, or one that is longer."""
        lines: list[str] = []
        size = 0
        while self._waiting:
            size += _bytes(self._waiting[0])
            if lines and size > WHOLE:
                break
            lines.append(self._waiting.popleft())
        return lines

    def _write(self, lines: list[bytes]) -> None:
        lost = self._refused + self._failed
        told = [] if lost == self._told else [_lost(lost - self._told)]
        left = memoryview(b"".join(told + lines))
        try:
            while left:
                left = left[os.write(self.descriptor, left) :]
        except OSError as error:
            if not told:
                self.complain(f"The log cannot be written, lines are lost: {error}")
            self._failed += len(lines)
        else:
            self._told = lost


def _bytes(line: str) -> int:
    return 1 + (len(line) if line.isascii() else 6 * len(line))  # at most: an escaped half of a character has six


def _lost(count: int) -> bytes:
    return f"{json.dumps({'event': 'log', 'message': f'{count} lines were lost'})}\n".encode()
