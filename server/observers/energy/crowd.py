"""The other processes that share a counter: each tells in a small mapped file how many calls it runs now."""

import mmap
import os
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from server.observers.energy.ledger import Crew

_NUMBER = struct.Struct("q")


@dataclass(slots=True)
class Crowd(Crew):
    """Processes that keep a ledger of the same `name` in the same `folder`; `refresh` looks who is there now."""

    folder: Path = Path()
    name: str = ""
    pid: int = field(default_factory=os.getpid)
    _own: mmap.mmap | None = None
    _others: dict[int, mmap.mmap] = field(default_factory=dict)

    def tell(self, running: int) -> None:
        """Written in place: a machine word is never read half."""
        if self._own is None:
            self._own = self._opened()
        _NUMBER.pack_into(self._own, 0, running)

    def others(self) -> int:
        return sum(_NUMBER.unpack_from(other, 0)[0] for other in self._others.values())

    def refresh(self) -> None:
        """Find new processes, forget those that are gone: what a killed one said last would count for ever."""
        self.tell(_NUMBER.unpack_from(self._own, 0)[0] if self._own is not None else 0)
        found = {int(path.suffixes[-2][1:]): path for path in self.folder.glob(f"{self.name}.*.running")}
        alive = {pid: path for pid, path in found.items() if pid != self.pid and _alive(pid)}
        for pid in self._others.keys() - alive.keys():
            self._others.pop(pid).close()
        for pid in alive.keys() - self._others.keys():
            with suppress(OSError, ValueError), alive[pid].open("r+b") as file:
                self._others[pid] = mmap.mmap(file.fileno(), _NUMBER.size)
        self.size = 1 + len(self._others)

    def close(self) -> None:
        """Be gone."""
        for mapped in (self._own, *self._others.values()):
            if mapped is not None:
                mapped.close()
        self._own = None
        self._others.clear()
        self._path().unlink(missing_ok=True)

    def _opened(self) -> mmap.mmap:
        path = self._path()
        path.write_bytes(_NUMBER.pack(0))
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), _NUMBER.size)

    def _path(self) -> Path:
        return self.folder / f"{self.name}.{self.pid}.running"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
