"""Beyond what may be in flight at once, a client is told so at once, and when to come back."""

import asyncio

from tests.server.harness import PATH, Reply, error, running


async def test_beyond_max_concurrency_is_429_with_retry_after_before_any_work() -> None:
    async with running([Reply("slow", delay=0.2)], listen={"max_concurrency": 2}) as world:
        slow = [asyncio.create_task(world.ask()) for _ in range(2)]
        while len(world.small.running) < 2:
            await asyncio.sleep(0)
        refused = await world.ask()
        assert error(refused) == (429, "rate_limit_error", "overloaded", None)
        assert int(refused.headers["retry-after"]) >= 1
        assert len(world.small.calls) == 2
        assert [response.status_code for response in await asyncio.gather(*slow)] == [200, 200]
        assert (await world.ask()).status_code == 200
        assert await world.metric("requests_total", route="", tier="", code="overloaded") == 1


async def test_a_refused_request_and_a_stream_give_their_place_back() -> None:
    async with running(listen={"max_concurrency": 1}) as world:
        for _ in range(3):
            assert (await world.ask(colour="red")).status_code == 400
            assert (await world.ask(stream=True)).status_code == 200
        assert world.gateway.parts.admission.inflight == 0


async def test_an_authorization_header_is_ignored_where_access_is_open() -> None:
    async with running(access={"open": True}) as world:
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        response = await world.client.post(PATH, json=body, headers={"authorization": "Bearer anything"})
    assert response.status_code == 200
