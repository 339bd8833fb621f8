"""Beyond what may be in flight at once, or what its key may, a client is told so at once, and when to come back."""

import asyncio
import itertools
from pathlib import Path

import pytest

from tests.server.access.keyrings import bearing, keys_file
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


async def test_a_key_that_asks_too_often_or_has_spent_its_budget_is_told_when_to_come_again(tmp_path: Path) -> None:
    keys = {"quick": {"rate": 2}, "poor": {"budgets": {"day": {"usd": 0.000001}}}, "free": {}}
    file, texts = keys_file(tmp_path, **keys)
    async with running(access={"keys_file": file}) as world:
        answers = {name: [await world.ask(headers=bearing(texts[name])) for _ in range(3)] for name in keys}
        told = {name: [answer.status_code for answer in found] for name, found in answers.items()}
        assert told == {"quick": [200, 200, 429], "poor": [200, 429, 429], "free": [200, 200, 200]}
        quick, poor = answers["quick"][2], answers["poor"][1]
        assert error(quick) == (429, "rate_limit_error", "rate_limit_exceeded", None)
        assert error(poor) == (429, "rate_limit_error", "insufficient_quota", None)
        assert 1 <= int(quick.headers["retry-after"]) <= 60
        assert 1 <= int(poor.headers["retry-after"]) <= 86_400
        assert "x-should-retry" not in quick.headers
        assert poor.headers["x-should-retry"] == "false"
        assert await world.metric("key_requests_total", key="quick", code="rate_limit_exceeded") == 1
        assert world.gateway.parts.admission.inflight == 0
        assert await world.metric("key_requests_total", key="poor", code="insufficient_quota") == 2
        assert len(world.small.calls) == 6


async def test_what_a_stream_or_an_embedding_took_is_spent_and_its_hold_is_given_back(tmp_path: Path) -> None:
    file, texts = keys_file(tmp_path, ann={"budgets": {"day": {"tokens": 100_000}}})
    async with running(access={"keys_file": file}) as world:
        door = world.gateway.parts
        assert door.keys is not None
        assert door.ledger is not None
        (key,) = door.keys().keys
        spent = [0.0]
        for stream in (False, True, True):
            assert (await world.ask(stream=stream, headers=bearing(texts["ann"]))).status_code == 200
            spent.append(door.ledger.used(key, "day") or 0.0)
        assert (await world.ask(colour="red", headers=bearing(texts["ann"]))).status_code == 400
        assert door.ledger.used(key, "day") == spent[-1]
        steps = [after - before for before, after in itertools.pairwise(spent)]
        assert steps == [pytest.approx(steps[0])] * 3
        assert steps[0] == pytest.approx(await world.metric("key_tokens_total", key="ann") / 3 / 100_000)
