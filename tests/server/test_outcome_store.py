"""The store, feedback, audits and the watch behind the real application."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.errors import ConfigError
from server.build import gateway
from server.engines.scripted import ScriptedEngine
from tests.server.harness import CALL, PATH, TOOLS, settings

OTHER = CALL.replace("5", "6")
ASK = {"model": "auto", "messages": [{"role": "user", "content": "five minutes"}], "tools": TOOLS}


def served(folder: Path, small: str, large: str, **route: Any) -> tuple[Any, httpx.AsyncClient]:
    engines = {"slm": ScriptedEngine("slm", [small]), "llm": ScriptedEngine("llm", [large])}
    made = gateway(settings(route=route, outcomes={"url": "sqlite:///state/o.db"}), folder, engines=engines, write=lambda line: None)
    return made, httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://localhost")


async def labels(made: Any, success: str, source: str = "audit") -> float:
    for _ in range(300):
        found = made.metrics.registry.get_sample_value("smallfirst_labels_total", {"route": "auto", "source": source, "success": success})
        if found:
            return float(found)
        await asyncio.sleep(0.01)
    return 0.0


@pytest.mark.parametrize(("large", "success"), [(CALL, "true"), (OTHER, "false")])
async def test_in_shadow_the_large_tier_answers_and_the_small_draft_is_labelled(tmp_path: Path, large: str, success: str) -> None:
    made, client = served(tmp_path, CALL, large, mode="shadow")
    async with made.app.router.lifespan_context(made.app), client:
        answer = await client.post(PATH, json=ASK)
        assert answer.headers["x-smallfirst-tier"] == "large"
        assert answer.headers["x-smallfirst-attempts"] == "2"
        assert await labels(made, success) == 1.0


async def test_an_audit_is_labelled_and_its_cost_counted(tmp_path: Path) -> None:
    made, client = served(tmp_path, CALL, OTHER, audit=1.0)
    async with made.app.router.lifespan_context(made.app), client:
        answer = await client.post(PATH, json=ASK)
        assert answer.headers["x-smallfirst-tier"] == "small"
        assert await labels(made, "false") == 1.0
        cost = made.metrics.registry.get_sample_value("smallfirst_cost_usd_total", {"route": "auto", "tier": "large", "kind": "audit"})
        assert cost > 0
        assert "auto" in (await client.get("/readyz")).json()["watch"]


async def test_feedback_is_joined_by_the_response_id(tmp_path: Path) -> None:
    made, client = served(tmp_path, CALL, OTHER)
    async with made.app.router.lifespan_context(made.app), client:
        response_id = (await client.post(PATH, json=ASK)).json()["id"]
        assert (await client.post("/v1/outcomes", json={"response_id": response_id, "success": False})).status_code == 200
        assert (await client.post("/v1/outcomes", json={"response_id": "nobody", "success": False})).status_code == 404
        assert await labels(made, "false", "feedback") == 1.0


@pytest.mark.parametrize("route", [{"audit": 0.1}, {"mode": "shadow"}, {"mode": "evaluate"}])
def test_labels_that_nobody_keeps_are_refused_at_start(route: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"outcomes\.url"):
        settings(route=route)
