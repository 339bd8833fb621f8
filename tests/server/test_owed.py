"""What a judge took is owed although the client left, or a rival won, before it had ruled: in metrics, log and account alike."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from router.types import EngineCall
from tests.server.api.test_disconnect import Wire, body
from tests.server.harness import Reply, World, running

PRICE = {"prompt": 2, "completion": 3}
ASKED = {"engine": "llm", "price": PRICE}
KINDS = ("answer", "draft", "verifier", "repair", "audit", "cancelled")
JUDGE = {"kind": "judge", "rubric": "It is right.", **ASKED}


def hanging(*suffixes: str) -> Callable[[EngineCall], Reply]:
    """What judges are asked comes to two words and no end; all else is answered."""
    return lambda call: Reply(chunks=("one", "two"), hang=True) if call.request_id.endswith(suffixes) else Reply("the large one")


async def books(world: World) -> dict[str, float]:
    """Dollars by kind, over all tiers."""
    found: dict[str, float] = {}
    for kind in KINDS:
        for tier in ("", "small", "large"):
            found[kind] = found.get(kind, 0.0) + await world.metric("cost_usd_total", route="auto", tier=tier, kind=kind)
    return {kind: dollars for kind, dollars in found.items() if dollars}


async def left(world: World, ready: Callable[[], bool], *, stream: bool) -> None:
    """The client goes away once it is so."""
    wire = Wire(world, body(stream=stream))
    task = asyncio.create_task(wire.run())
    async with asyncio.timeout(5):
        while not ready():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)  # what is said before the silence is said by then
        wire.left.set()
        await task
    assert wire.sent[0]["status"] == 499


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("route", "suffix", "asked"),
    [
        ({"verifiers": [JUDGE]}, "-judge", 1),
        ({"verifiers": [{"kind": "agreement", "engines": ["llm", "llm"], "price": PRICE}]}, "-sample", 2),
        ({"verifiers": [{"kind": "guard", "classifier": {**ASKED, "policy": "nothing"}}]}, "-guard", 1),
        ({"guards": [{"kind": "prompt", "classifier": {**ASKED, "policy": "nothing"}}]}, "-guard", 1),
    ],
    ids=["judge", "agreement", "guard", "prompt"],
)
async def test_a_client_that_leaves_while_a_model_judges_pays_for_what_it_said(route: Any, suffix: str, asked: int, stream: bool) -> None:
    async with running(["small says"], hanging(suffix), route=route) as world:
        await left(world, lambda: len(world.large.running) == asked, stream=stream)
        calls = world.large.calls
        owed = sum(2 * world.large.prompt_tokens(call) + 3 * 2 for call in calls) / 1e6
        found, [line] = await books(world), world.logged
    assert len(calls) == asked
    assert found["verifier"] == pytest.approx(owed)
    assert (line["code"], line["cost_usd"]) == ("cancelled", pytest.approx(sum(found.values())))
    drafted = "verifiers" in route
    assert [attempt["cancelled"] for attempt in line["attempts"]] == [True] * drafted
    assert found.get("cancelled", 0.0) == pytest.approx(4e-6 if drafted else 0.0)


@asynccontextmanager
async def mute() -> AsyncIterator[tuple[str, list[int]]]:
    """A service that takes a question and never answers, and how often it was asked."""
    asked: list[int] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append(1)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/rule", asked


async def test_a_client_that_leaves_while_a_service_judges_pays_for_the_try() -> None:
    async with mute() as (url, asked):
        hook = {"kind": "webhook", "url": url, "location": "inside", "cost": 0.25, "timeout": 30}
        async with running(["small says"], route={"verifiers": [hook]}) as world:
            await left(world, lambda: bool(asked), stream=False)
            found, [line] = await books(world), world.logged
    assert found["verifier"] == 0.25
    assert line["cost_usd"] == pytest.approx(sum(found.values()))


async def test_verdicts_that_were_given_before_stand_beside_the_one_that_was_not() -> None:
    async with running(["small says"], hanging("-judge"), route={"verifiers": [{"kind": "rule", "expression": "true"}, JUDGE]}) as world:
        await left(world, lambda: bool(world.large.running), stream=False)
        [attempt] = world.logged[0]["attempts"]
    told = [(verdict["verifier"], verdict["ruling"]) for verdict in attempt["verdicts"]]
    assert told == [("contract", "not_applicable"), ("rule", "accept"), ("judge", "not_applicable")]
    assert attempt["verdicts"][-1]["cost"] > 0


async def test_a_rival_that_wins_over_a_draft_under_judgement_leaves_its_judge_to_be_paid() -> None:
    async with running(["small says"], hanging("-judge"), route={"verifiers": [JUDGE], "hedge_after": 0.02}) as world:
        response = await world.ask()
        found, [line] = await books(world), world.logged
    assert response.json()["choices"][0]["message"]["content"] == "the large one"
    assert set(found) == {"answer", "cancelled", "verifier"}
    assert line["cost_usd"] == pytest.approx(sum(found.values()))
    assert float(response.headers["x-smallfirst-cost-usd"]) == pytest.approx(line["cost_usd"])


async def test_a_judge_that_ruled_is_paid_once() -> None:
    said = '{"reason":"no","ruling":"defer"}'
    judging = lambda call: Reply(said if call.request_id.endswith("-judge") else "the large one")  # noqa: E731
    async with running(["small says"], judging, route={"verifiers": [JUDGE]}) as world:
        response = await world.ask(headers={"x-smallfirst-explain": "1"})
        found, [judged, _] = await books(world), world.large.calls
    told = response.json()["smallfirst"]
    owed = (2 * world.large.prompt_tokens(judged) + 3) / 1e6
    assert found["verifier"] == pytest.approx(owed)
    assert [verdict["cost_usd"] for verdict in told["attempts"][0]["verdicts"]] == [0.0, pytest.approx(owed)]
    assert told["cost_usd"] == pytest.approx(sum(found.values()))
