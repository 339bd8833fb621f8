"""No outbound address comes from a request: whatever it names, only the configured engine is connected to."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_only_the_configured_engine_is_connected_to() -> None:
    root = Path(__file__).parents[2]
    proxied = {"HTTP_PROXY": "http://203.0.113.1:3128", "http_proxy": "http://203.0.113.1:3128", "ALL_PROXY": "http://203.0.113.1:3128"}
    environment = {**os.environ, **proxied, "NO_PROXY": "", "PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.server.outbound"], env=environment, cwd=root, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["seen"] == [f"('127.0.0.1', {told['port']})"]
