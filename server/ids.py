"""Ids that nobody can guess, in the order of time, from one read of the system's randomness for many of them."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from time import time

BYTES, AT_ONCE = 10, 256
MILLISECONDS = (1 << 48) - 1


@dataclass(slots=True)
class Ids:
    """Makes ids of 32 hexadecimal digits: 48 bits of milliseconds since the epoch and 80 random ones.

    In the order of time, as UUIDs of version 7 are (RFC 9562, 5.7), for the store's index of them would else change a page far from the
    last one with every row. Asking the system for each would cost a request more than its routing. What is left of a read is a
    process's own: one that is forked reads again.
    """

    clock: Callable[[], float] = time
    _left: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        os.register_at_fork(after_in_child=self._left.clear)

    def new(self) -> str:
        """One that was never given before."""
        if not self._left:
            read = os.urandom(BYTES * AT_ONCE).hex()
            self._left += [read[at : at + 2 * BYTES] for at in range(0, len(read), 2 * BYTES)]
        return f"{int(self.clock() * 1000) & MILLISECONDS:012x}{self._left.pop()}"
