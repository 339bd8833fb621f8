"""What must stay inside is shown to nobody outside: not by the climb, and not by anything that looks at requests or answers beside it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from router.types import Embeddings, Usage
from tests.server.harness import CALL, TOOLS, WRONG, Reply, alive, error, running

INSIDE: dict[str, Any] = {"metadata": {"residency": "inside"}}
TIERS = [
    {"name": "small", "engine": "slm", "price": {"prompt": 1, "completion": 1}},
    {"name": "large", "engine": "llm", "price": {"prompt": 10, "completion": 10}, "location": "outside"},
]
PRICE = {"prompt": 1, "completion": 1}
CLASSIFIER = {"engine": "llm", "policy": "secrets", "price": PRICE}
KINDS: dict[str, tuple[Reply, dict[str, Any]]] = {
    "cascade": (Reply(WRONG), {}),
    "repair": (Reply(WRONG), {"repair": 2}),
    "hedging": (Reply(CALL, delay=0.1), {"hedge_after": 0.01}),
    "audit": (Reply(CALL), {"audit": 1.0}),
    "evaluate": (Reply(CALL), {"mode": "evaluate", "audit": 1.0}),
    "shadow": (Reply(CALL), {"mode": "shadow"}),
    "judge": (Reply(CALL), {"verifiers": [{"kind": "judge", "engine": "llm", "rubric": "good", "price": PRICE}]}),
    "agreement": (Reply(CALL), {"verifiers": [{"kind": "agreement", "engines": ["llm"], "price": PRICE}]}),
    "guard": (Reply(CALL), {"verifiers": [{"kind": "guard", "classifier": CLASSIFIER}]}),
    "prompt guard": (Reply(CALL), {"guards": [{"kind": "prompt", "classifier": CLASSIFIER, "when_unable": "open"}]}),
}


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[Any]]]:
    """A service somewhere that remembers what it was sent."""
    seen: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(json.loads(await request.read()))
        return web.json_response({"ruling": "accept"} if "answer" in seen[-1] else {"flagged": False})

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", seen
    finally:
        await runner.cleanup()


async def asked(kind: str, folder: Path, *, route: dict[str, Any] | None = None, **body: Any) -> list[Any]:
    """All calls of the engine outside."""
    small, options = KINDS[kind]
    stored = {"outcomes": {"url": f"sqlite:///{folder / 'o.db'}"}} if {"audit", "mode"} & options.keys() else {}
    async with running([small], [CALL], route={"tiers": TIERS, **options, **(route or {})}, **stored) as world, alive(world):
        await world.ask(tools=TOOLS, **body)
    return world.large.calls


@pytest.mark.parametrize("kind", KINDS)
async def test_the_engine_outside_is_otherwise_asked(kind: str, tmp_path: Path) -> None:
    """The control of the next test: without residency each of these ways leads outside."""
    assert await asked(kind, tmp_path)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_that_stays_inside_never_reaches_the_engine_outside(kind: str, stream: bool, tmp_path: Path) -> None:
    assert await asked(kind, tmp_path, stream=stream, **INSIDE) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_route_that_stays_inside_never_reaches_the_engine_outside(kind: str, tmp_path: Path) -> None:
    assert await asked(kind, tmp_path, route={"residency": "inside"}) == []


@pytest.mark.parametrize("option", ["verifiers", "answer guard", "prompt guard"])
@pytest.mark.parametrize("inside", [False, True])
async def test_a_service_outside_is_never_posted_to(option: str, inside: bool) -> None:
    async with listening() as (url, seen):
        services: dict[str, dict[str, Any]] = {
            "verifiers": {"verifiers": [{"kind": "webhook", "url": url}]},
            "answer guard": {"verifiers": [{"kind": "guard", "webhook": {"url": url}}]},
            "prompt guard": {"guards": [{"kind": "prompt", "webhook": {"url": url}, "when_unable": "open"}]},
        }
        async with running([CALL], [CALL], route={"tiers": TIERS, **services[option]}) as world, alive(world):
            await world.ask(tools=TOOLS, **(INSIDE if inside else {}))
        assert bool(seen) != inside


async def test_where_nothing_is_left_the_answer_is_403() -> None:
    async with running(route={"tiers": TIERS[1:]}) as world:
        assert error(await world.ask(**INSIDE)) == (403, "permission_error", "residency_forbidden", None)
        assert error(await world.ask(stream=True, **INSIDE)) == (403, "permission_error", "residency_forbidden", None)
        assert error(await world.ask(model="auto/large", **INSIDE)) == (403, "permission_error", "residency_forbidden", None)
    assert world.large.calls == []


@pytest.mark.parametrize("word", ["outside", "anywhere", "", "INSIDE"])
async def test_metadata_can_only_tighten(word: str) -> None:
    async with running(route={"tiers": TIERS}) as world:
        response = await world.ask(metadata={"residency": word})
    assert error(response) == (400, "invalid_request_error", "invalid_request", "metadata.residency")
    assert world.small.calls == []


async def test_other_metadata_passes() -> None:
    async with running(route={"tiers": TIERS}) as world:
        assert (await world.ask(metadata={"group": "a", "tier": "large"})).headers["x-smallfirst-tier"] == "small"


async def test_an_engine_that_one_route_calls_outside_is_outside_on_all() -> None:
    routes = {
        "auto": {"tiers": [{key: value for key, value in TIERS[1].items() if key != "location"}]},
        "other": {"tiers": TIERS},
    }
    async with running(routes=routes, aliases={}) as world:
        assert error(await world.ask(**INSIDE))[2] == "residency_forbidden"
    assert world.large.calls == []


@pytest.mark.parametrize(("path", "body"), [("/v1/completions", {"prompt": "hi"}), ("/v1/responses", {"input": "hi"})])
async def test_a_routes_residency_holds_for_every_endpoint(path: str, body: dict[str, Any]) -> None:
    async with running(route={"tiers": TIERS[1:], "residency": "inside"}) as world:
        response = await world.client.post(path, json={"model": "auto", **body})
    assert error(response)[:3] == (403, "permission_error", "residency_forbidden")
    assert world.large.calls == []


async def test_a_response_may_ask_for_it_too() -> None:
    async with running(route={"tiers": TIERS[1:]}) as world:
        response = await world.client.post("/v1/responses", json={"model": "auto", "input": "hi", **INSIDE})
        assert error(response)[:3] == (403, "permission_error", "residency_forbidden")
        loose = {"model": "auto", "input": "hi", "metadata": {"residency": "outside"}}
        assert error(await world.client.post("/v1/responses", json=loose))[3] == "metadata.residency"


class Vectors:
    """Makes vectors, and remembers that it was asked."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    async def embed(self, call: Any) -> Embeddings:
        self.calls.append(call)
        return Embeddings(((0.5,),), Usage(1, 0))


@pytest.mark.parametrize(("residency", "status"), [(None, 200), ("inside", 403)])
async def test_embeddings_stay_inside_too(residency: str | None, status: int) -> None:
    vectors = Vectors()
    async with running(route={"tiers": TIERS, "residency": residency}) as world:
        world.gateway.parts.embedders["llm"] = vectors  # type: ignore[index]  # a plain dict behind the read-only view
        response = await world.client.post("/v1/embeddings", json={"model": "auto", "input": "hi"})
    assert (response.status_code, len(vectors.calls)) == (status, int(status == 200))


@pytest.mark.parametrize("way", ["previous_response_id", "item_reference"])
@pytest.mark.parametrize("rule", [{"metadata": {"residency": "inside"}}, {"metadata": {"task": "pay"}}], ids=["metadata", "task"])
async def test_what_goes_on_from_a_response_that_stayed_inside_stays_inside(rule: dict[str, Any], way: str) -> None:
    """Though it says nothing of it itself, and through any number of turns."""
    route = {"tiers": TIERS, "tasks": {"pay": {"residency": "inside"}}, "verifiers": [{"kind": "rule", "expression": "false"}]}
    async with running(["the secret"], ["never asked"], route=route) as world:
        told = (await world.client.post("/v1/responses", json={"model": "auto", "input": "hi", **rule})).json()
        for _ in range(2):
            own: Any = {"previous_response_id": told["id"], "input": "go on"}
            if way == "item_reference":
                own = {"input": [{"type": "item_reference", "id": told["output"][0]["id"]}, {"role": "user", "content": "go on"}]}
            told = (await world.client.post("/v1/responses", json={"model": "auto", **own})).json()
        assert (world.large.calls, len(world.small.calls), told["metadata"]["residency"]) == ([], 3, "inside")
        loose = {"model": "auto", "input": "x", "previous_response_id": told["id"], "metadata": {"residency": "outside"}}
        assert error(await world.client.post("/v1/responses", json=loose))[3] == "metadata.residency"
        await world.client.post("/v1/responses", json={"model": "auto", "input": "of its own"})
    assert len(world.large.calls) == 1
