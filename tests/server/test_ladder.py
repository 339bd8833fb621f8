"""The rules of a route from outside: over HTTP, whole and streamed, with the reasons that the client is told."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from router.errors import EngineFailure
from router.types import EngineCall
from server.build import gateway
from server.engines.scripted import ScriptedEngine
from tests.server.engines.openai.upstream import json_play, serving
from tests.server.harness import CALL, PATH, TOOLS, WRONG, Reply, chunks, content, error, running, settings

MODES = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
PRICE = {"prompt": 1, "completion": 1}
DOUBT = {"kind": "rule", "expression": "tier == 'large'"}
CAPPED = [
    (1, ["tiny"]),
    (2, ["tiny", "large"]),
    (3, ["tiny", "small", "large"]),
    (None, ["tiny", "tiny", "small", "small", "large"]),
]
IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]
NEVER = {"kind": "rule", "expression": "false"}


def rungs(*names: str, **more: Any) -> list[dict[str, Any]]:
    """Tiers from small to large: all but the last one run on the small engine."""
    return [{"name": name, "engine": "llm" if name == names[-1] else "slm", "price": PRICE, **more.get(name, {})} for name in names]


def text(response: httpx.Response, *, stream: bool) -> str:
    return content(chunks(response)) if stream else response.json()["choices"][0]["message"]["content"] or ""


def reasons(response: httpx.Response) -> list[str]:
    return response.headers["x-smallfirst-deferrals"].split(",")


@MODES
async def test_any_number_of_tiers_is_climbed_one_by_one(stream: bool) -> None:
    tiers = rungs("tiny", "small", "middle", "big", "large")
    async with running(["draft"], ["the end"], route={"tiers": tiers, "verifiers": [DOUBT]}) as world:
        response = await world.ask(stream=stream)
    assert (text(response, stream=stream), response.headers["x-smallfirst-attempts"]) == ("the end", "5")
    assert reasons(response) == ["rule"] * 4


@MODES
async def test_an_engine_whose_breaker_is_open_is_passed_over_with_that_reason(stream: bool) -> None:
    """A real server that answers 500 until its breaker opens; then it is asked no more."""
    async with serving(json_play({"error": {"message": "down"}}, 500)) as upstream:
        small = {"kind": "openai", "base_url": upstream.url, "model": "m", "retries": 0}
        made = settings(engines={"slm": small, "llm": {"kind": "scripted", "replies": ["-"]}})
        served = gateway(made, Path("/nowhere"), engines={"llm": ScriptedEngine("llm", ["the large one"])}, write=lambda line: None)
        transport = httpx.ASGITransport(served.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        async with served.app.router.lifespan_context(served.app), client:
            told = [await client.post(PATH, json=body) for _ in range(8)]
        asked = len(upstream.requests)
    assert [text(response, stream=stream) for response in told] == ["the large one"] * 8
    assert (reasons(told[0]), reasons(told[-1]), asked) == (["engine_error"], ["breaker_open"], 5)


@MODES
@pytest.mark.parametrize(("most", "attempts"), CAPPED)
async def test_the_cap_on_attempts_is_kept_and_the_last_tier_has_its_own(most: int | None, attempts: list[str], stream: bool) -> None:
    route = {"tiers": rungs("tiny", "small", "large"), "repair": 1, "budget": {"max_attempts": most}}
    async with running([WRONG], [CALL], route=route) as world:
        response = await world.ask(tools=TOOLS, stream=stream)
        assert [attempt["tier"] for attempt in world.logged[0]["attempts"]] == attempts
    assert response.status_code == (503 if most == 1 else 200)


@MODES
async def test_a_request_that_has_spent_its_money_climbs_no_further(stream: bool) -> None:
    route = {"verifiers": [DOUBT], "budget": {"max_cost": 1e-9}}
    async with running(["the draft"], ["never asked"], route=route) as world:
        response = await world.ask(stream=stream)
        assert world.large.calls == []
    assert text(response, stream=stream) == "the draft"
    async with running([WRONG], [CALL], route={"budget": {"max_cost": 1e-9}}) as world:
        assert error(await world.ask(tools=TOOLS, stream=stream))[2] == "cascade_exhausted"


@MODES
@pytest.mark.parametrize(("rule", "tier"), [("defer", "large"), ("accept", "small")])
async def test_what_nobody_can_rule_on_goes_as_the_route_says(rule: str, tier: str, stream: bool) -> None:
    silent = {"kind": "rule", "when": "false", "expression": "true"}
    async with running(["a"], ["b"], route={"verifiers": [silent], "when_all_abstain": rule}) as world:
        response = await world.ask(stream=stream)
    assert response.headers["x-smallfirst-tier"] == tier
    assert reasons(response) == (["abstain"] if rule == "defer" else [""])


@MODES
async def test_an_exhausted_cascade_gives_its_best_or_an_error_as_the_route_says(stream: bool) -> None:
    failing = Reply(failure=EngineFailure("down"))
    for rule, status in (("best", 200), ("error", 502)):
        async with running(["keeps its form"], [failing], route={"verifiers": [DOUBT], "when_exhausted": rule}) as world:
            response = await world.ask(stream=stream)
            assert response.status_code == status
            assert status != 200 or text(response, stream=stream) == "keeps its form"


@MODES
async def test_a_slow_draft_gets_a_rival_and_the_first_that_verifies_wins(stream: bool) -> None:
    route = {"hedge_after": 0.02, "verifiers": [{"kind": "contract"}]}
    async with running([Reply(CALL, delay=5)], [CALL], route=route) as world:
        response = await world.ask(tools=TOOLS, stream=stream)
        assert (response.headers["x-smallfirst-tier"], len(world.small.cancelled)) == ("large", 1)
        assert await world.metric("attempts_total", route="auto", tier="small", result="cancelled") == 1
        assert await world.metric("cost_usd_total", route="auto", tier="small", kind="cancelled") > 0


@MODES
async def test_of_the_deadline_the_last_tier_keeps_its_share(stream: bool) -> None:
    async with running([Reply(hang=True)], ["in time"], route={"budget": {"deadline": 0.4}, "reserve": 0.3}) as world:
        response = await world.ask(stream=stream)
        assert world.small.calls[0].seconds == pytest.approx(0.1, abs=0.05)
    assert (text(response, stream=stream), reasons(response)) == ("in time", ["timeout"])


@MODES
@pytest.mark.parametrize(
    ("tier", "body", "reason"),
    [
        ({"context": 3}, {}, "context"),
        (
            {},
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]}]},
            "modality",
        ),
    ],
    ids=["context", "modality"],
)
async def test_a_tier_that_cannot_take_the_request_is_passed_over_with_the_reason(tier: Any, body: Any, reason: str, stream: bool) -> None:
    large = {"modalities": ["text", "image"]}
    async with running(["small"], ["large"], route={"tiers": rungs("small", "large", small=tier, large=large)}) as world:
        asked = {"model": "auto", "messages": [{"role": "user", "content": "five words are too many"}], "stream": stream, **body}
        response = await world.post(asked)
        assert world.small.calls == []
    assert (text(response, stream=stream), reasons(response)) == ("large", [reason])


async def test_a_tier_that_cannot_be_held_to_tools_is_passed_over() -> None:
    engines = {"slm": ScriptedEngine("slm", ["-"], supported=frozenset({"none"})), "llm": ScriptedEngine("llm", [CALL])}
    served = gateway(settings(), Path("/nowhere"), engines=engines, write=lambda line: None)
    transport = httpx.ASGITransport(served.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post(PATH, json={"model": "auto", "messages": [{"role": "user", "content": "hi"}], "tools": TOOLS})
    assert (reasons(response), engines["slm"].calls) == (["contract"], [])


@MODES
async def test_a_guard_on_answers_reads_every_tier_and_may_end_the_request(stream: bool) -> None:
    for policy, tier, status in (("defer", "large", 200), ("refuse", None, 503)):
        guarded = {"verifiers": [{"kind": "guard", "patterns": ["secret"], "policy": policy}]}
        async with running(["the secret"], ["harmless"], route=guarded) as world:
            response = await world.ask(stream=stream)
            assert (response.status_code, response.headers.get("x-smallfirst-tier")) == (status, tier)
            assert "the secret" not in response.text


@MODES
async def test_the_explanation_shows_every_verdict_with_its_reason(stream: bool) -> None:
    said = '{"reason":"not what was asked","ruling":"defer"}'

    def judging(call: EngineCall) -> str:
        return said if call.request_id.endswith("-judge") else "the large one"

    judge = {"kind": "judge", "engine": "llm", "rubric": "right", "price": PRICE}
    route = {"verifiers": [{"kind": "rule", "expression": "true"}, {"kind": "guard", "patterns": ["x{9}"]}, judge]}
    async with running(["draft"], judging, route=route) as world:
        response = await world.ask(stream=stream, headers={"x-smallfirst-explain": "1"})
    told = (chunks(response)[-1] if stream else response.json())["smallfirst"]["attempts"]
    assert [(verdict["verifier"], verdict["ruling"], verdict["reason"]) for verdict in told[0]["verdicts"]] == [
        ("contract", "not_applicable", "no_contract"),
        ("rule", "accept", ""),
        ("guard", "not_applicable", "clear"),
        ("judge", "defer", "not what was asked"),
    ]
    assert told[0]["deferral"] == "judge"


async def test_with_no_tier_left_the_client_is_told_why() -> None:
    async with running([WRONG], [WRONG], route={"verifiers": [NEVER]}) as world:
        assert error(await world.ask(tools=TOOLS, headers={"x-smallfirst-explain": "1"})) == (503, "api_error", "cascade_exhausted", None)
