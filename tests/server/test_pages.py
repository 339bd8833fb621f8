import subprocess
import sys
from pathlib import Path

import pytest

from server import pages

MB = 1 << 20
SMAPS = """\
55d000100000-55d000900000 rw-p 00000000 00:00 0                          [heap]
Size:               8192 kB
Rss:                8192 kB
AnonHugePages:         0 kB
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
Size:               4096 kB
Rss:                2048 kB
7f1000000000-7f1000800000 rw-p 00000000 00:00 0
Size:               8192 kB
Rss:                  12 kB
7f2000000000-7f2000400000 r-xp 00001000 fe:00 42                         /usr/lib/libpython3.so
Rss:                4096 kB
7f3000000000-7f3000400000 rw-p 00001000 fe:00 42                         /usr/lib/libpython3.so
Rss:                4096 kB
7f4000000000-7f4000400000 rw-s 00000000 00:01 7                          /dev/shm/counts
Rss:                4096 kB
7f5000000000-7f5000100000 rw-p 00000000 00:00 0
Rss:                1024 kB
""".replace("00:00 0\n", "00:00 0 \n")  # as the kernel writes it


def test_pages_are_gathered_where_they_fit_into_filled_private_memory() -> None:
    heap = [0x55D000200000, 0x55D000400000, 0x55D000600000]
    assert list(pages.filled(SMAPS.splitlines(keepends=True), 2 * MB)) == [*heap, 0x7F0000000000, 0x7F0000200000]


def test_a_system_that_wants_none_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_POLICY", tmp_path)
    (tmp_path / "enabled").write_text("always madvise [never]\n")
    (tmp_path / "hpage_pmd_size").write_text("2097152\n")
    assert pages.gather() == 0


def test_a_system_that_does_not_say_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_POLICY", tmp_path)
    assert pages.gather() == 0


ALONE = """
from pathlib import Path
from server.pages import gather
kept = bytes(range(256)) * (1 << 16)
gathered = gather()
rows = dict(line.split(":") for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
assert kept == bytes(range(256)) * (1 << 16)
print(gathered, int(rows["AnonHugePages"].split()[0]) * 1024)
"""


def supported() -> bool:
    policy = pages._POLICY / "enabled"
    release = Path("/proc/sys/kernel/osrelease")
    if not (policy.exists() and release.exists()) or "[never]" in policy.read_text():
        return False
    return tuple(int(part) for part in release.read_text().split("-")[0].split(".")[:2]) >= (6, 1)


@pytest.mark.skipif(not supported(), reason="this system has no huge pages on demand")
def test_what_was_built_lies_in_huge_pages_and_is_unchanged() -> None:
    said = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True).stdout.split()
    gathered, seen = (int(number) for number in said)
    assert 8 * MB <= gathered <= seen
