"""The machine of a bench: its name, its cores, free ports, processes that are pinned to a core and what they take."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def named() -> str:
    """CPU, cores, kernel."""
    found = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return f"{found[1] if found else os.uname().machine}, {os.cpu_count()} cores, Linux {os.uname().release}"


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """The command on that core alone; with `None` on every one, also where the bench itself is bound to one."""
    cores = range(os.cpu_count() or 1) if core is None else [core]
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


def missing(*programs: str) -> list[str]:
    """Which of these are not installed."""
    return [program for program in programs if shutil.which(program) is None]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in found]


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for what does not heed it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def memory(pid: int, kind: str = "Pss") -> float:
    """Proportional share of the memory of a process and its descendants, in MB; forked pages count once.

    `Pss_Anon` leaves out files, whose share grows as neighbours that mapped them too go.
    """
    return sum(_kilobytes(one, kind) for one in family(pid)) / 1024


def _kilobytes(pid: int, name: str) -> int:
    try:
        found = re.search(rf"^{name}:\s*(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants so far."""
    total = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def descriptors(pid: int) -> int:
    """Open files and sockets."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
