"""What an engine's fault leaves in memory is freed with its attempt: what waits for the collector holds whole answers."""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest

from router.asking import Rate, ask
from router.attempting import Running
from router.errors import EngineFailure
from router.types import Tab, Tier
from server.engines.openai import OpenAIEngine
from tests.server.engines.openai.play import call, engine
from tests.server.faults.chaos import playing
from tests.server.faults.plays import FAULTS, TWICE

FAILING = sorted(FAULTS.keys() - TWICE - {"good", "slow"})
SHORT = {"timeouts": {"connect": 5, "read": 0.2, "total": 0.7}, "max_response_bytes": 100_000}


@contextmanager
def collected() -> Iterator[list[str]]:
    """Afterwards, the kinds of our own objects that the collector alone could free."""
    kinds: list[str] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield kinds
        gc.collect()
        kinds += [found for found in map(_kind, gc.garbage) if found.startswith(("router.", "server."))]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def _kind(found: object) -> str:
    return f"{type(found).__module__}.{type(found).__qualname__}"


async def attempt(made: OpenAIEngine, live: bool) -> EngineFailure | None:
    running = Running(Tier("small", "slm"), "try", made, call(live=live), time.monotonic)
    await running.drain()
    return running.error


async def question(made: OpenAIEngine, live: bool) -> EngineFailure | None:
    return (await ask(made, call(live=live, seconds=5), Rate(1, 1), Tab())).failure


@pytest.mark.parametrize("fault", FAILING)
async def test_a_fault_leaves_nothing_to_the_collector(fault: str) -> None:
    async with playing(FAULTS[fault]) as chaos, engine(chaos.url, **SHORT) as made:
        with collected() as left:
            for asking, live in product((attempt, question), (False, True)):
                assert await asking(made, live) is not None
            for _ in range(5):
                await asyncio.sleep(0)  # until the connections are gone
    assert not left


@pytest.mark.parametrize("fault", FAILING)
async def test_a_kept_fault_holds_no_frame(fault: str) -> None:
    """Newer Pythons' frames lead back to their callers, also from an error that caused it."""
    async with playing(FAULTS[fault]) as chaos, engine(chaos.url, **SHORT) as made:
        for asking, live in product((attempt, question), (False, True)):
            error = await asking(made, live)
            assert error is not None
            assert [error.__traceback__, error.__cause__, error.__context__] == [None] * 3
