"""How long `deploy/verify/observe.py` waits for a live Prometheus."""

import runpy
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

waited = runpy.run_path(str(Path(__file__).parents[2] / "deploy/verify/observe.py"))["waited"]
LATE = httpx.ReadTimeout("timed out")


def telling(*answers: list[str] | httpx.TransportError) -> Callable[[], list[str]]:
    """One answer after the other; the last again and again."""
    left = list(answers)

    def told() -> list[str]:
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, httpx.TransportError):
            raise given
        return given

    return told


@pytest.mark.parametrize(
    ("answers", "patience", "missing"),
    [
        (([],), 0.0, []),
        ((["a"],), 0.0, ["a"]),
        ((["a", "b"], ["b", "c"], ["c"]), 60.0, []),
        ((LATE, ["a"], LATE, []), 60.0, []),
        ((["a", "b"], ["b"], LATE), 0.05, ["b"]),
    ],
)
def test_what_is_missing_each_time_is_missing_and_a_late_answer_says_nothing(
    answers: tuple[list[str] | httpx.TransportError, ...], patience: float, missing: list[str]
) -> None:
    assert waited(telling(*answers), patience, 0.001) == missing


def test_a_server_that_never_answers_is_told_of() -> None:
    with pytest.raises(httpx.ReadTimeout):
        waited(telling(LATE), 0.05, 0.001)
