"""Ids that nobody can guess, from one read of the system's randomness for many of them."""

import os
from dataclasses import dataclass, field

BYTES, AT_ONCE = 16, 256


@dataclass(slots=True)
class Ids:
    """Makes ids of 32 hexadecimal digits; asking the system for each would cost a request more than its routing.

    What is left of a read is a process's own: one that was forked reads again.
    """

    _left: list[str] = field(default_factory=list)
    _process: int = 0

    def new(self) -> str:
        """One that was never given before."""
        if not self._left or self._process != os.getpid():
            read = os.urandom(BYTES * AT_ONCE).hex()
            self._left = [read[at : at + 2 * BYTES] for at in range(0, len(read), 2 * BYTES)]
            self._process = os.getpid()
        return self._left.pop()
