"""Warnings that anybody outside can cause: the same one is written seldom, however often it is caused."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

EVERY = 10.0
"""Seconds in which the same warning is written once."""


@dataclass(slots=True)
class Seldom:
    """A filter of a logger: who sends what is no HTTP fills no log, and where nobody reads the log holds nobody up."""

    clock: Callable[[], float] = time.monotonic
    _last: dict[str, float] = field(default_factory=dict, init=False)

    def __call__(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        if record.levelno != logging.WARNING:
            return True
        now, text = self.clock(), str(record.msg)
        if now - self._last.get(text, -EVERY) < EVERY:
            return False
        self._last[text] = now
        return True
