"""A process ends with its parent: one that is told of the end, and one that came too late to be told."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word is Linux's alone")

CHILD = """
import os, sys, time
from server.orphans import end_with
parent = int(sys.argv[1])
while sys.argv[2] == "late" and os.getppid() == parent:
    time.sleep(0.01)
end_with(parent)
print("on", flush=True)
time.sleep(60)
"""
PARENT = """
import os, subprocess, sys
answers = subprocess.PIPE if sys.argv[2] == "early" else None
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), sys.argv[2]], stdout=answers)
if child.stdout:
    sys.stdout.buffer.write(child.stdout.readline())
"""


@pytest.mark.parametrize(("when", "said"), [("early", "on\n"), ("late", "")])
def test_a_child_ends_with_its_parent(when: str, said: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PARENT, CHILD, when]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)  # waits for whoever holds the pipes
    assert done.stdout == said
