"""Functions in threads of their own: bounded, given up without a trace, ended with nobody's help."""

import asyncio
import subprocess
import sys
import threading
import time
from contextvars import ContextVar

import pytest

from router.apart import Threads

NAMED: ContextVar[str] = ContextVar("named", default="nobody")


def further(known: set[threading.Thread]) -> int:
    """Threads that have come since."""
    return len(set(threading.enumerate()) - known)


async def test_it_gives_what_the_function_gives_or_raises_in_the_callers_context() -> None:
    made = Threads()
    NAMED.set("somebody")
    assert await made.run(lambda one, other: (one, other, NAMED.get()), 1, "b") == (1, "b", "somebody")
    for error in (ValueError("no"), SystemExit(3)):
        with pytest.raises(type(error)) as caught:
            await made.run(_raises, error)
        assert caught.value is error


def _raises(error: BaseException) -> None:
    raise error


async def test_a_thread_serves_again_and_goes_when_there_is_nothing_to_do() -> None:
    known, made = set(threading.enumerate()), Threads(idle=0.05)
    for _ in range(20):
        await made.run(time.sleep, 0)
        await asyncio.sleep(0.001)
    assert further(known) == 1
    await asyncio.sleep(0.5)
    assert further(known) == 0
    assert await made.run(int, "5") == 5


async def test_many_at_once_have_no_more_threads_than_allowed_and_all_are_served() -> None:
    known, made, most = set(threading.enumerate()), Threads(3), list[int]()

    def work(number: int) -> int:
        most.append(further(known))
        time.sleep(0.002)
        return number

    assert await asyncio.gather(*(made.run(work, number) for number in range(100))) == list(range(100))
    assert max(most) == 3


async def test_who_waits_no_longer_leaves_nothing_behind_and_the_others_are_served() -> None:
    """Also where every thread is taken by functions that never come back."""
    made, ever, done = Threads(2), threading.Event(), list[int]()
    stuck = [asyncio.create_task(made.run(ever.wait)) for _ in range(2)]
    await asyncio.sleep(0.05)
    for number in range(50):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(made.run(done.append, number), 0.001)
    waiting = asyncio.create_task(made.run(done.append, 99))
    await asyncio.sleep(0.05)
    assert len(made._waiting) == 1
    ever.set()
    await asyncio.gather(waiting, *stuck)
    assert done == [99]


STUCK = """
import asyncio, threading
from router.apart import Threads
async def main():
    try:
        await asyncio.wait_for(Threads().run(threading.Event().wait), 0.05)
    except TimeoutError:
        print("given up")
asyncio.run(main())
"""


def test_a_process_ends_though_a_function_never_does() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout == "given up\n"
