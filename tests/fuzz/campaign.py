"""Coverage-guided fuzzing with atheris, which is in no lock of the project's own (it has no wheels for every platform):

    .venv/bin/python -m pip install --require-hashes --target build/atheris -r tests/fuzz/requirements.lock
    PYTHONPATH=build/atheris:. .venv/bin/python -m tests.fuzz.campaign schemas -max_total_time=60

The first word names a check of `tests/fuzz/checks.py`, the rest are libFuzzer's options. Prints how many inputs were tried; what crashes is
written to `build/fuzz/`, and becomes a case of `tests/fuzz/test_checks.py`.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["router", "server"]):
    from tests.fuzz.checks import CHECKS, SEEDS


def main() -> None:
    """Run until libFuzzer's options say to stop; it ends the process."""
    name, *options = sys.argv[1:]
    found = Path("build/fuzz") / name
    found.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(SEEDS[name]):
        (found / f"seed-{index}").write_bytes(seed)
    atheris.Setup([sys.argv[0], f"-artifact_prefix=build/fuzz/{name}-", "-max_len=4096", *options, str(found)], CHECKS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
