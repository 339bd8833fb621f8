"""The parts that the profile is divided into are modules that there are, and each stack goes to the innermost of them."""

from pathlib import Path

import pytest

from bench.shares import PARTS, REST, THREAD, part, shares

ROOT = Path(__file__).parents[2]
OURS = [begin for begins in PARTS.values() for begin in begins if begin.startswith(("router/", "server/"))]


@pytest.mark.parametrize("begin", OURS)
def test_every_module_of_a_part_is_there(begin: str) -> None:
    assert (ROOT / begin).exists()


def test_the_thread_of_the_store_is_named_as_it_is() -> None:
    recorder = (ROOT / "server/observers/outcomes/recorder.py").read_text()
    assert "class Recorder" in recorder
    assert "def _work(" in recorder
    assert (
        part(["_bootstrap (threading.py:1002)", "Recorder._work (server/observers/outcomes/recorder.py:90)", "execute (sqlalchemy/x.py:3)"])
        == THREAD
    )


def test_the_innermost_module_decides() -> None:
    outer = ["thread (7): MainThread", "Cascade.run (router/cascade.py:60)"]
    assert part(outer) == "cascade, policy, verification"
    assert part([*outer, "look (router/calibration/features.py:77)", "token_features (router/calibration/doubt.py:40)"]).endswith(
        "of the tokens"
    )
    assert part([*outer, "loads (json/__init__.py:300)", "__init__ (<string>:2)"]) == "cascade, policy, verification"
    assert part(["thread (7): MainThread", "run (asyncio/runners.py:118)"]) == REST


def test_shares_are_of_all_samples() -> None:
    found = shares(["thread (7): MainThread;Cascade.run (router/cascade.py:60) 3", "run (asyncio/runners.py:118) 1"])
    assert found == {"cascade, policy, verification": 0.75, REST: 0.25}
