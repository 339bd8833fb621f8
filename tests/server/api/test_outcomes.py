from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from router.errors import Overloaded
from server.api import outcomes
from server.app import create_app
from tests.server.harness import world

TAKEN: list[tuple[str, float, object]] = []


async def take(response_id: str, correct: float, expected: object, owner: str | None) -> bool:  # noqa: ARG001
    if response_id == "lost":
        raise Overloaded("later", retry_after=5.0)
    TAKEN.append((response_id, correct, expected))
    return response_id == "chatcmpl-1"


async def closed() -> None:
    pass


def app(given: outcomes.Take | None) -> ASGIApp:
    return create_app(replace(world().gateway.parts, take=given), closed)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    TAKEN.clear()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(take)), base_url="http://localhost") as made:
        yield made


async def test_feedback_is_joined_to_its_response(client: httpx.AsyncClient) -> None:
    first = await client.post("/v1/outcomes", json={"response_id": "chatcmpl-1", "success": True})
    graded = await client.post("/v1/outcomes", json={"response_id": "chatcmpl-1", "success": True, "score": 0.5, "expected": {"a": 1}})
    assert (first.status_code, graded.status_code) == (200, 200)
    assert first.json() == {"object": "outcome.label", "response_id": "chatcmpl-1", "source": "feedback", "correct": 1.0}
    assert TAKEN == [("chatcmpl-1", 1.0, None), ("chatcmpl-1", 0.5, {"a": 1})]


async def test_an_unknown_response_is_404_in_openais_shape(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/outcomes", json={"response_id": "nobody", "success": False})
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"success": True}, "response_id"),
        ({"response_id": "a"}, "success"),
        ({"response_id": "a", "success": "yes"}, "success"),
        ({"response_id": "a", "success": True, "score": 2}, "score"),
        ({"response_id": "a", "success": True, "stars": 5}, "stars"),
        ({"response_id": "", "success": True}, "response_id"),
    ],
)
async def test_bad_feedback_names_its_field(client: httpx.AsyncClient, body: Any, param: str) -> None:
    answer = await client.post("/v1/outcomes", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert TAKEN == []


async def test_a_lost_store_asks_to_come_back(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/outcomes", json={"response_id": "lost", "success": True})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


async def test_without_a_store_the_endpoint_says_so() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(None)), base_url="http://localhost") as made:
        answer = await made.post("/v1/outcomes", json={"response_id": "a", "success": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_endpoint")
