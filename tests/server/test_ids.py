"""Ids: unlike each other, in the order of time, made by each process for itself."""

import os
import re

import pytest

from server.ids import AT_ONCE, Ids


def test_ids_are_unlike_and_in_the_order_of_time() -> None:
    seconds = iter(range(3 * AT_ONCE))
    ids = Ids(clock=lambda: 1.7e9 + next(seconds))
    made = [ids.new() for _ in range(3 * AT_ONCE)]
    assert made == sorted(made)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in made)
    assert len({one[12:] for one in made}) == len(made)


def test_ids_of_one_moment_have_nothing_in_common_but_the_moment() -> None:
    ids = Ids(clock=lambda: 1.0)
    made = {ids.new() for _ in range(2 * AT_ONCE)}
    assert len(made) == 2 * AT_ONCE
    assert {one[:12] for one in made} == {f"{1000:012x}"}


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_gives_none_of_its_parents_ids() -> None:
    ids = Ids(clock=lambda: 1.0)
    ids.new()
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(writing, " ".join(ids.new() for _ in range(AT_ONCE - 1)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs = set(os.read(reading, 1 << 16).decode().split())
    os.close(reading)
    os.close(writing)
    assert len(theirs) == AT_ONCE - 1
    assert not theirs & {ids.new() for _ in range(AT_ONCE - 1)}
