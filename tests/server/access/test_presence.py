"""Work is raced against its client: whoever is first decides."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from router.errors import ClientGone
from server.access.presence import Told, Waiting, while_present, while_taken


async def never() -> Any:
    await asyncio.Event().wait()


async def gone() -> Any:
    return {"type": "http.disconnect"}


async def test_a_result_in_time_is_returned() -> None:
    async def work() -> int:
        return 5

    assert await while_present(Waiting(never), work()) == 5


async def test_an_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await while_present(Waiting(never), work())


async def test_the_work_is_over_before_the_client_is_said_to_be_gone() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    with pytest.raises(ClientGone):
        await while_present(Waiting(gone), work())
    assert ended


async def test_a_cancelled_handler_takes_its_work_along() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    task = asyncio.create_task(while_present(Waiting(never), work()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


async def test_a_server_that_tells_is_heard_without_being_asked() -> None:
    client = Told()

    async def work() -> None:
        client.tell()
        await asyncio.Event().wait()

    with pytest.raises(ClientGone):
        await while_present(client, work())


async def test_work_for_a_client_that_has_left_already_is_cancelled() -> None:
    client = Told()
    client.tell()
    with pytest.raises(ClientGone):
        await while_present(client, asyncio.sleep(60))


async def test_who_is_done_is_not_called_when_the_client_leaves() -> None:
    client = Told()
    assert await while_present(client, asyncio.sleep(0, 5)) == 5
    client.tell()
    await asyncio.sleep(0)


async def test_who_waited_for_a_client_to_leave_waits_for_no_garbage_collector() -> None:
    client = Waiting(asyncio.Event().wait)  # which never says anything
    client.add(lambda: None)
    await asyncio.sleep(0)
    known = weakref.ref(client)
    gc.disable()
    try:
        client.discard(lambda: None)
        del client
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert known() is None
    finally:
        gc.enable()


async def test_a_message_that_is_not_taken_in_time_ends_the_work_which_is_over_before_the_client_is_said_to_be_gone() -> None:
    ended: list[bool] = []

    async def work(send: Any) -> None:
        try:
            await send("taken")
            await asyncio.sleep(0.1)  # which is no waiting for the client
            await send("left lying")
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    async def send(message: str) -> None:
        if message == "left lying":
            await asyncio.Event().wait()

    with pytest.raises(ClientGone):
        await while_taken(send, 0.05, work)
    assert ended


async def test_what_is_taken_in_time_is_sent_to_its_end_and_an_error_of_the_work_is_raised() -> None:
    sent: list[str] = []

    async def send(message: str) -> None:
        await asyncio.sleep(0.03)
        sent.append(message)

    async def work(send: Any) -> None:
        for piece in "abcd":
            await send(piece)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await while_taken(send, 0.06, work)
    assert sent == [*"abcd"]


async def test_a_client_that_leaves_while_it_takes_nothing_is_gone_once() -> None:
    client = Told()

    async def send(_message: str) -> None:
        await asyncio.Event().wait()

    async def work(send: Any) -> None:
        try:
            await send("left lying")
        finally:
            asyncio.get_running_loop().call_soon(client.tell)
            await asyncio.sleep(60)

    with pytest.raises(ClientGone):
        await while_present(client, while_taken(send, 0.02, work))
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
