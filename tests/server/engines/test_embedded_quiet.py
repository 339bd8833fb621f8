"""The embedded runtime reports to nobody."""

import subprocess
import sys

PROGRAM = """
import os
from server.engines.embedded.quiet import runtime
print(os.environ["ORT_DISABLE_TELEMETRY"], runtime.__name__)
"""


def test_telemetry_is_off_before_the_runtime_is_first_imported() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "onnxruntime"]
    assert "telemetry" not in ran.stderr.lower()
