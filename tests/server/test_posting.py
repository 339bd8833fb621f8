"""The port `Post` over HTTP."""

import asyncio
import tracemalloc
import zlib

import httpx
import pytest

from router.ports import CannotPost
from server.posting import MOST_BYTES, HttpPost

URL = "http://judge.internal/rule"


async def posted(answer: httpx.Response | Exception, seconds: float = 1.0) -> tuple[int, bytes]:
    def handle(request: httpx.Request) -> httpx.Response:
        assert (str(request.url), request.method, request.content) == (URL, "POST", b"{}")
        assert request.headers["x-signed"] == "yes"
        if isinstance(answer, Exception):
            raise answer
        return answer

    post = HttpPost(httpx.MockTransport(handle))
    try:
        return await post(URL, b"{}", {"x-signed": "yes"}, seconds)
    finally:
        await post.close()


async def test_status_and_body_come_back_whatever_the_status() -> None:
    assert await posted(httpx.Response(503, content=b"no")) == (503, b"no")


async def test_a_redirect_is_not_followed() -> None:
    assert (await posted(httpx.Response(307, headers={"location": "http://169.254.169.254/"})))[0] == 307


@pytest.mark.parametrize(
    "answer",
    [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.Response(200, content=b"x" * (MOST_BYTES + 1))],
)
async def test_no_answer_or_too_long_a_one_cannot_be_used(answer: httpx.Response | Exception) -> None:
    with pytest.raises(CannotPost):
        await posted(answer)


async def test_a_compressed_answer_is_not_unpacked() -> None:
    """A hundred KiB of it would be a hundred MiB."""

    class Bomb(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            yield packed

    packed = zlib.compress(bytes(30_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(CannotPost, match="compressed"):
            await posted(httpx.Response(200, stream=Bomb(), headers={"content-encoding": "deflate"}))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


async def test_the_timeout_bounds_the_whole_answer() -> None:
    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            while True:
                yield b"x"
                await asyncio.sleep(0.02)

    with pytest.raises(CannotPost):
        await posted(httpx.Response(200, stream=Dripping()), seconds=0.1)
