"""The recorded outcomes of the bench can be fitted, and its processes stand on the cores that it says."""

import os
import subprocess
import sys

from bench.answers import records
from bench.machine import pinned
from router.calibration.growing import FOLDS


def test_the_records_ask_questions_enough_for_a_fit() -> None:
    asked = {record["request"]["messages"][-1]["content"] for record in records(30)}
    assert len(asked) == 30 >= FOLDS


def test_a_process_without_a_core_of_its_own_may_have_every_one_though_the_bench_is_bound_to_one() -> None:
    command = pinned(None, [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"])
    code = f"import os; os.sched_setaffinity(0, {{0}}); os.execvp({command[0]!r}, {command!r})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) == os.cpu_count()
