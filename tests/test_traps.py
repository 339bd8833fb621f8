"""The traps that others of this kind fell into: a test for each, over HTTP where it shows there."""

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from router.calibration.thresholds import fixed_sequence
from router.errors import ConfigError
from router.types import Usage
from server import config
from server.build import gateway
from server.config import Strict
from tests.server.api.test_disconnect import Wire
from tests.server.harness import CALL, PATH, TOOLS, WRONG, Reply, alive, chunks, content, error, running, settings

ROOT = Path(__file__).parents[1]
MODES = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
EXPLAIN = {"x-smallfirst-explain": "1"}
ACCEPTING = {"kind": "rule", "expression": "true"}
SECRET = "zq9secret"


def answered(response: httpx.Response, *, stream: bool) -> str:
    """The text that the client sees."""
    return content(chunks(response)) if stream else str(response.json()["choices"][0]["message"]["content"])


def account(response: httpx.Response, *, stream: bool) -> dict[str, Any]:
    """The `smallfirst` object."""
    told: dict[str, Any] = (chunks(response)[-1] if stream else response.json())["smallfirst"]
    return told


@MODES
async def test_a_rejected_draft_never_leaks(stream: bool) -> None:
    draft = Reply(chunks=(CALL[:-2], f',"{SECRET}":1', "]}"), pause=0.001)
    async with running([draft], [CALL]) as world:
        response = await world.ask(tools=TOOLS, stream=stream, headers=EXPLAIN)
    assert SECRET not in response.text
    assert response.text.count('"name":"set_timer"') == 1
    assert response.headers["x-smallfirst-tier"] == "large"


@MODES
async def test_the_output_guard_is_never_skipped(stream: bool) -> None:
    """Neither on a draft nor on the last tier, whose prose would otherwise be live."""
    guarded = {"verifiers": [{"kind": "guard", "patterns": [SECRET]}]}
    leaking = Reply(chunks=("the word is ", SECRET))
    async with running([leaking], ["clean"], route=guarded) as world:
        assert answered(await world.ask(stream=stream), stream=stream) == "clean"
    async with running([leaking], [leaking], route=guarded) as world:
        response = await world.ask(stream=stream)
    assert error(response)[0] == 503
    assert SECRET not in response.text


@MODES
@pytest.mark.parametrize(
    "asked", [{"functions": []}, {"audio": {"voice": "x"}}, {"web_search_options": {}}, {"guided_json": {}}, {"store": True}, {"typo": 1}]
)
async def test_an_unsupported_parameter_is_refused_by_name(asked: dict[str, Any], stream: bool) -> None:
    async with running() as world:
        response = await world.ask(stream=stream, **asked)
    assert error(response) == (400, "invalid_request_error", "unsupported_parameter", next(iter(asked)))
    assert not world.small.calls


@MODES
async def test_a_parameter_that_the_engines_do_not_know_is_refused_and_one_they_know_arrives(stream: bool) -> None:
    hosted = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m", "flavour": "openai"}
    made = gateway(settings(engines={"slm": hosted, "llm": hosted}), ROOT, write=lambda line: None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://localhost") as client:
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "top_k": 5, "stream": stream}
        assert error(await client.post(PATH, json=body)) == (400, "invalid_request_error", "unsupported_parameter", "top_k")
    async with running() as world:
        assert (await world.ask(stream=stream, top_k=5)).status_code == 200
    assert dict(world.small.calls[0].sampling.extra) == {"top_k": "5"}


@MODES
async def test_no_sum_of_accepting_verifiers_passes_a_tool_that_does_not_exist(stream: bool) -> None:
    lenient = {"verifiers": [ACCEPTING, {**ACCEPTING, "name": "again"}, {"kind": "function"}], "when_all_abstain": "accept"}
    async with running([WRONG], [WRONG], route=lenient) as world:
        assert error(await world.ask(tools=TOOLS, stream=stream))[2] == "cascade_exhausted"
        assert error(await world.ask(tools=TOOLS, stream=stream, model="auto/small"))[2] == "cascade_exhausted"


@MODES
@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "webhook", "url": "http://127.0.0.1:9/", "location": "inside", "retries": 0},
        {"kind": "judge", "engine": "slm", "rubric": "good", "price": {"prompt": 1, "completion": 1}},
        {"kind": "python", "call": "math:sqrt"},
        {"kind": "rule", "expression": "answer.nothing == 1"},
    ],
    ids=lambda given: given["kind"],
)
async def test_a_verifier_that_is_down_never_pins_traffic_to_the_cheap_tier(broken: dict[str, Any], stream: bool) -> None:
    """Not even where the others accept and the route keeps what nobody could rule on."""
    async with running(["small says"], ["large says"], route={"verifiers": [ACCEPTING, broken]}) as world, alive(world):
        response = await world.ask(stream=stream)
    assert answered(response, stream=stream) == "large says"
    assert response.headers["x-smallfirst-deferrals"] == "abstain"


@MODES
async def test_the_best_answer_is_returned_and_not_the_last(stream: bool) -> None:
    doubting = {"verifiers": [{"kind": "rule", "expression": "tier != 'small'"}]}
    async with running([CALL], [WRONG], route=doubting) as world:
        response = await world.ask(tools=TOOLS, stream=stream, headers=EXPLAIN)
    told = account(response, stream=stream)
    assert [attempt["deferral"] for attempt in told["attempts"]] == ["rule", "contract"]
    assert (response.headers["x-smallfirst-tier"], "launch_rocket" in response.text) == ("small", False)


@MODES
async def test_cost_and_tokens_count_every_attempt(stream: bool) -> None:
    drafts = [Reply(WRONG, usage=Usage(100, 10)), Reply(WRONG, usage=Usage(120, 20))]
    async with running(drafts, [Reply(CALL, usage=Usage(100, 30))], route={"repair": 1}) as world:
        response = await world.ask(tools=TOOLS, stream=stream, headers=EXPLAIN)
        cost = (110 + 140 + 10 * 130) / 1e6
        told = account(response, stream=stream)
        assert told["cost_usd"] == pytest.approx(cost)
        assert told["usage"] == {"prompt_tokens": 320, "completion_tokens": 60}
        assert float(response.headers["x-smallfirst-cost-usd"]) == pytest.approx(cost)
        counted = [
            await world.metric("cost_usd_total", route="auto", tier=tier, kind=kind)
            for tier, kind in (("small", "draft"), ("small", "repair"), ("large", "answer"))
        ]
    assert sum(counted) == pytest.approx(cost)
    assert world.logged[0]["cost_usd"] == pytest.approx(cost)


@MODES
async def test_a_client_that_leaves_does_not_lose_the_spend(stream: bool) -> None:
    """What was spent before on rejected drafts counts as well as what was under way."""
    async with running([Reply("maybe so", usage=Usage(10, 5))], [Reply(hang=True)], route={"when_all_abstain": "defer"}) as world:
        body = {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "hi there"}]}
        wire = Wire(world, body)
        task = asyncio.create_task(wire.run())
        while not world.large.running:
            await asyncio.sleep(0.001)
        wire.left.set()
        await asyncio.wait_for(task, 2)
        assert await world.metric("cost_usd_total", route="auto", tier="small", kind="draft") == pytest.approx(15e-6)
        assert await world.metric("cost_usd_total", route="auto", tier="large", kind="cancelled") == pytest.approx(20e-6)
        assert await world.metric("requests_total", route="auto", tier="", code="cancelled") == 1


async def test_a_users_text_never_becomes_a_metric_label() -> None:
    async with running([WRONG], [CALL]) as world:
        seen: list[set[str]] = []
        for number in range(3):
            own = f"{SECRET}{number}"
            tool = {"type": "function", "function": {"name": own, "parameters": {"type": "object"}}}
            await world.ask(own, tools=[*TOOLS, tool], user=own, metadata={own: own}, headers={"x-request-id": own})
            await world.ask(own, tools=[tool], stream=True)
            await world.ask(own, model=own)
            await world.post({"model": "auto", "messages": [{"role": "user", "content": own}], own: 1})
            await world.client.post(f"/v1/{own}", json={})
            told = (await world.client.get("/metrics")).text
            seen.append({line.rpartition(" ")[0] for line in told.splitlines() if not line.startswith("#")})
    assert seen[0] == seen[1] == seen[2]
    assert not any(SECRET in series for series in seen[-1])


@MODES
async def test_the_whole_conversation_is_looked_at_and_not_only_its_last_message(stream: bool) -> None:
    messages = [
        {"role": "user", "content": f"here is the {SECRET}"},
        {"role": "assistant", "content": "thanks"},
        {"role": "user", "content": "go on"},
    ]
    body = {"model": "auto", "messages": messages, "stream": stream}
    guarded = {"guards": [{"kind": "prompt", "patterns": [SECRET], "allow": ["large"]}]}
    ruled = {"verifiers": [{"kind": "rule", "expression": f"!request.messages.exists(m, m.text.contains('{SECRET}'))"}]}
    for route in (guarded, ruled):
        async with running(["small says"], ["large says"], route=route) as world:
            assert answered(await world.post(body), stream=stream) == "large says"


def test_a_threshold_is_fitted_to_correctness_and_not_to_acceptance() -> None:
    """Every one of these answers was accepted by every gate and half of them are wrong, sure or not: nothing may be kept."""
    generator = np.random.default_rng(0)
    doubt, wrong = generator.random(2000), generator.random(2000) < 0.5
    assert fixed_sequence(doubt, wrong, 0.05, 0.95) is None
    found = fixed_sequence(doubt, wrong & (doubt > 0.5), 0.05, 0.95)
    assert found is not None
    assert found.limit < 0.6


@MODES
async def test_a_cut_answer_says_so(stream: bool) -> None:
    cut = Reply("half a sen", finish_reason="length")
    async with running([cut]) as world:
        response = await world.ask(stream=stream, max_tokens=3)
    choices = chunks(response)[-1]["choices"] if stream else response.json()["choices"]
    assert choices[0]["finish_reason"] == "length"


@MODES
async def test_a_cut_answer_never_passes_for_a_whole_form(stream: bool) -> None:
    async with running([Reply(CALL, finish_reason="length")], [Reply(CALL, finish_reason="length")]) as world:
        response = await world.ask(tools=TOOLS, stream=stream, max_tokens=50)
    assert error(response) == (400, "invalid_request_error", "max_tokens_too_small", "max_tokens")


def test_an_unknown_key_of_the_configuration_is_refused() -> None:
    for changes in ({"typo": 1}, {"route": {"typo": 1}}, {"listen": {"typo": 1}}, {"route": {"budget": {"typo": 1}}}):
        with pytest.raises(ConfigError, match="typo: unknown key"):
            settings(**changes)


def test_no_key_of_the_configuration_is_accepted_and_ignored() -> None:
    """Every field of every settings class is read somewhere in the server, by its name."""
    read = {name for path in (ROOT / "server").rglob("*.py") for name in _read(ast.parse(path.read_text(encoding="utf-8")))}
    classes = [found for found in vars(config).values() if isinstance(found, type) and issubclass(found, Strict)]
    fields = {name for found in classes for name in found.model_fields} - {"kind"}
    assert len(fields) > 40
    assert fields <= read, f"accepted and ignored: {sorted(fields - read)}"


def _read(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.MatchClass):
            yield from node.kwd_attrs


@MODES
async def test_a_number_that_nobody_measured_is_absent(stream: bool) -> None:
    async with running(["small says"], route={"verifiers": [ACCEPTING]}) as world:
        response = await world.ask(stream=stream, headers=EXPLAIN)
        metrics = (await world.client.get("/metrics")).text
    told = account(response, stream=stream)
    assert "x-smallfirst-confidence" not in response.headers
    assert (told["confidence"], told["joules"]) == (None, None)
    assert all(verdict["confidence"] is None for attempt in told["attempts"] for verdict in attempt["verdicts"])
    assert not re.search(r"^smallfirst_(confidence|energy_joules)\w*\{", metrics, re.MULTILINE)


def test_every_table_of_numbers_names_the_bench_that_prints_them() -> None:
    """A section with a row of at least two measured numbers names a program of `bench/` that exists."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for section in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            rows = [row for row in section.splitlines() if row.startswith("|") and len(re.findall(r"\d+\.\d+", row)) >= 2]
            named = re.findall(r"bench/\w+\.py", section)
            assert all((ROOT / name).exists() for name in named)
            assert named or not rows, f"{page.name}: {rows[0] if rows else ''}"
