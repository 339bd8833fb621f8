"""What `make` hands to the scripts that it runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_scripts_run_in_the_environment_that_make_installed() -> None:
    """`make PYTHON=python3.12 clients` says what to make the environment with, and make hands its variables on to whatever it starts."""
    called = re.findall(r"^\t(.*?)(\S+/run\.sh)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [script for _, script in called] == ["tests/clients/run.sh", "deploy/verify/run.sh"]
    assert {before.strip() for before, _ in called} == {"PYTHON=$(BIN)/python"}
    assert all((ROOT / script).read_text().count("PYTHON=${PYTHON:-.venv/bin/python}") == 1 for _, script in called)
