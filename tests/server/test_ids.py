"""Ids: unlike each other, in the order of time, made by each process for itself."""

import copy
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


def test_a_forked_process_gives_none_of_its_parents_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Ids(clock=lambda: 1.0)
    ids.new()
    forked = copy.deepcopy(ids)
    parents = {ids.new() for _ in range(AT_ONCE - 1)}
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert not parents & {forked.new() for _ in range(AT_ONCE - 1)}
