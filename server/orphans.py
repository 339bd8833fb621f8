"""Processes that end with the one that started them, even where that one was killed and could tell them nothing."""

import ctypes
import multiprocessing
import os
import signal
import sys

_DEATH_SIGNAL = 1


def end_with_starter() -> None:
    """The same of whoever started this process through multiprocessing; nothing in one that nobody did."""
    if starter := multiprocessing.parent_process():
        end_with(starter.pid or 0)


def end_with(parent: int) -> None:
    """From now on the kernel sends this process SIGTERM when its parent is gone (prctl(2), PR_SET_PDEATHSIG: Linux alone has it).

    A parent that was gone before is not told of any more: the process, which has begun nothing yet, ends here.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
