"""The gateway's own page: off unless asked for, nothing foreign in it, facts and never what was said."""

import re

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from router.errors import EngineFailure
from server.api import dashboard
from server.observers.recent import Recent
from tests.server.harness import CALL, TOOLS, Reply, running

PATHS = ("/dashboard", "/dashboard/style.css", "/dashboard/app.js", "/dashboard/data")


@pytest.mark.parametrize("path", PATHS)
async def test_it_is_not_there_unless_it_was_asked_for(path: str) -> None:
    async with running() as world:
        assert (await world.client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("path", "media_type"), list(zip(PATHS, ("text/html", "text/css", "text/javascript", "application/json"), strict=True))
)
async def test_everything_it_is_made_of_comes_from_the_gateway(path: str, media_type: str) -> None:
    async with running(dashboard=True) as world:
        found = await world.client.get(path)
    assert found.status_code == 200
    assert found.headers["content-type"].startswith(media_type)
    assert found.headers["x-content-type-options"] == "nosniff"
    assert set(re.findall(r"https?://[\w.]+", found.text)) <= {"http://www.w3.org"}


async def test_the_page_may_run_and_load_only_what_is_its_own() -> None:
    async with running(dashboard=True) as world:
        page = await world.client.get("/dashboard")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)


async def test_a_decision_is_told_with_its_path_and_its_verdicts() -> None:
    async with running(['{"message":"no"}'], [CALL], dashboard=True) as world:
        await world.ask(tools=TOOLS, tool_choice="required")
        told = (await world.client.get("/dashboard/data")).json()
    [record] = told["records"]
    assert (record["route"], record["asked"], record["code"]) == ("auto", "tool calls", "ok")
    assert [(attempt["tier"], attempt["deferral"], attempt["kept"]) for attempt in record["path"]] == [
        ("small", "contract", False),
        ("large", None, True),
    ]
    assert ["contract", "defer", None] in record["path"][0]["verdicts"]
    totals = told["totals"]
    assert (totals["requests"], totals["answered"], totals["escalated"], totals["verified"]) == (1, 1, 1, 1)
    assert (totals["deferrals"], totals["answers"]) == ({"contract": 1}, {"large": 1})
    assert totals["cost"] > totals["large_only"] > 0


async def test_an_answer_of_the_small_tier_saves_what_the_last_had_cost() -> None:
    async with running(dashboard=True) as world:
        await world.ask()
        totals = (await world.client.get("/dashboard/data")).json()["totals"]
    assert totals["large_only"] == pytest.approx(10 * totals["cost"])
    assert totals["first"] == 1


async def test_nothing_that_was_said_is_told() -> None:
    failing = Reply(failure=EngineFailure("canary-answer"))
    async with running(["canary-answer", failing], ["canary-answer", failing], dashboard=True) as world:
        for _ in range(2):
            await world.ask("canary-prompt", user="canary-user", metadata={"a": "canary-metadata"})
        told = await world.client.get("/dashboard/data")
    assert len(told.json()["records"]) == 2
    assert "canary" not in told.text


async def test_what_is_known_of_each_promise_is_told() -> None:
    app = FastAPI()
    app.include_router(dashboard.routes(Recent({}, {}, lambda: 0.0), lambda: {"auto": "kept error at most 4.1%"}))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as client:
        told = (await client.get("/dashboard/data")).json()
    assert told["watch"] == {"auto": "kept error at most 4.1%"}


async def test_only_what_is_new_is_told_again() -> None:
    async with running(["a", "b", "c"], dashboard=True) as world:
        await world.ask()
        first = (await world.client.get("/dashboard/data")).json()
        await world.ask()
        seen = f"{first['worker']}:{first['last']}"
        later = (await world.client.get("/dashboard/data", params={"seen": seen})).json()
        other = (await world.client.get("/dashboard/data", params={"seen": f"{first['worker'] + 1}:{first['last']}"})).json()
    assert (len(first["records"]), len(later["records"]), len(other["records"])) == (1, 1, 2)


@pytest.mark.parametrize("seen", ["", "nonsense", "1", "1:", ":1", "1:-1", "1:" + "9" * 400, "," * 5000, "-1:2", "1:2:3"])
async def test_a_cursor_that_makes_no_sense_gets_everything(seen: str) -> None:
    async with running(dashboard=True) as world:
        await world.ask()
        told = await world.client.get("/dashboard/data", params={"seen": seen})
    assert len(told.json()["records"]) == 1


async def test_the_list_is_bounded() -> None:
    async with running(["x"] * 130, dashboard=True) as world:
        for _ in range(120):
            await world.ask()
        told = (await world.client.get("/dashboard/data")).json()
    assert (len(told["records"]), told["totals"]["requests"]) == (100, 120)
