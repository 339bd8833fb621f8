"""Huge pages under what a worker has built when it begins to serve.

A request touches about a megabyte of long-lived objects that lie all over the heap, page by page, and a processor keeps the places of few
small pages at hand: looking them up again, in a virtual machine through two tables, is a measurable part of a request's time.
"""

import ctypes
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_POLICY = Path("/sys/kernel/mm/transparent_hugepage")
_SPANS = Path("/proc/self/smaps")
_COLLAPSE = 25
"""MADV_COLLAPSE of Linux 6.1: gather what is there, with its contents, into a huge page now; other systems refuse it."""
_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(\[heap\])?$")
_RESIDENT = re.compile(r"Rss: +(\d+) kB$")


def gather() -> int:
    """Bytes that lie in huge pages now by this call: of private memory, where the system knows how and its policy is not `never`."""
    with suppress(OSError, AttributeError):
        if "[never]" not in (_POLICY / "enabled").read_text():
            size, advise = int((_POLICY / "hpage_pmd_size").read_text()), ctypes.CDLL(None).madvise
            with _SPANS.open() as lines:
                found = list(filled(lines, size))
            return size * sum(not advise(ctypes.c_void_p(start), ctypes.c_size_t(size), _COLLAPSE) for start in found)
    return 0


def filled(lines: Iterable[str], size: int) -> Iterator[int]:
    """Addresses where a page of `size` bytes fits into memory of a process that belongs to no file, by the lines of its `smaps`.

    Mappings of which less than half is resident are left alone: they are stacks and other room in reserve, which would only grow.
    """
    start = stop = 0
    for line in lines:
        if head := _HEAD.match(line):
            start, stop = int(head[1], 16), int(head[2], 16)
        elif resident := _RESIDENT.match(line):
            if 2 * 1024 * int(resident[1]) >= stop - start:
                yield from range(-(-start // size) * size, stop - size + 1, size)
            start = stop = 0
