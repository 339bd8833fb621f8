"""Processes that share a counter know of each other's calls, and forget those that are gone."""

import os
import subprocess
import sys
from pathlib import Path

from server.observers.energy.crowd import Crowd


def test_a_process_sees_what_runs_in_another_until_that_is_gone(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from server.observers.energy.crowd import Crowd\n"
        f"crowd = Crowd(folder=Path({str(tmp_path)!r}), name='gpu'); crowd.tell(3); print('told', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdin is not None
    assert other.stdout is not None
    with other:
        assert other.stdout.readline() == "told\n"
        own = Crowd(folder=tmp_path, name="gpu")
        own.refresh()
        assert (own.others(), own.size) == (3, 2)
        other.kill()
        other.wait()
    own.refresh()
    assert (own.others(), own.size) == (0, 1)
    own.close()


def test_a_process_does_not_count_itself_or_another_counter(tmp_path: Path) -> None:
    own, apart = Crowd(folder=tmp_path, name="gpu"), Crowd(folder=tmp_path, name="rapl", pid=os.getppid())
    own.tell(5)
    apart.tell(7)
    own.refresh()
    assert (own.others(), own.size) == (0, 1)
    own.close()
    apart.close()
