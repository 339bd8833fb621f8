"""How commands end that the user or the reader of their output ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.__main__ import main
from server.commands import check


def test_output_that_nobody_reads_ends_a_command_with_one_line(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "engines: {one: {kind: scripted, replies: [x]}}\nroutes: {auto: {tiers: [{engine: one, price: {prompt: 1, completion: 1}}]}}\n"
    )
    command = [sys.executable, "-m", "server", "check", "--config", str(config)]
    read, write = os.pipe()
    os.close(read)
    try:
        told = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write)
    assert (told.returncode, told.stderr.splitlines()[-1]) == (1, "smallfirst: [Errno 32] Broken pipe")
    assert "Traceback" not in told.stderr


def test_an_interrupted_command_ends_with_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(_options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "run", stopped)
    assert main(["check", "--config", "gateway.yaml"]) == 130
    assert capsys.readouterr().err == "smallfirst: interrupted\n"


def test_a_command_interrupted_before_its_modules_are_read_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_commands: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "add", stopped)
    assert main(["check", "--config", "gateway.yaml"]) == 130
    assert capsys.readouterr().err == "smallfirst: interrupted\n"
