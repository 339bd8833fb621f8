"""Processes that end with the one that started them, even where that one was killed and could tell them nothing."""

import ctypes
import signal
import sys

_DEATH_SIGNAL = 1


def end_with_parent() -> None:
    """From now on the kernel sends this process SIGTERM when its parent is gone (prctl(2), PR_SET_PDEATHSIG: Linux alone has it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)
