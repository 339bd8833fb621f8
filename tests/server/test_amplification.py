"""What a request may cost at most, and what it is given for it: short deadlines, hedges, caps, and the end of the ladder."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from router.errors import EngineFailure, EngineTimeout
from router.types import EngineCall, Usage
from tests.server.harness import CALL, TOOLS, WRONG, Reply, World, alive, chunks, content, error, running
from tests.server.test_owed import books

MODES = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
EXPLAIN = {"x-smallfirst-explain": "1"}
PRICE = {"prompt": 1, "completion": 1}
DOUBT = {"kind": "rule", "expression": "tier == 'large'"}
FAILS = Reply(failure=EngineFailure("down"))
CUT = Reply(CALL, finish_reason="length")


def account(response: httpx.Response, *, stream: bool) -> dict[str, Any]:
    told: dict[str, Any] = (chunks(response)[-1] if stream else response.json())["smallfirst"]
    return told


async def settled(world: World, response: httpx.Response, *, stream: bool) -> dict[str, float]:
    """Dollars by kind; the client, the log and the metrics tell the same sum."""
    found, [line], told = await books(world), world.logged, account(response, stream=stream)
    total = sum(found.values())
    assert [float(response.headers["x-smallfirst-cost-usd"]), line["cost_usd"], told["cost_usd"]] == pytest.approx([total] * 3)
    return found


@MODES
async def test_where_only_the_last_tier_fits_into_the_deadline_it_alone_is_asked(stream: bool) -> None:
    """The task's deadline is all within what the route keeps for its last tier."""
    route = {"budget": {"deadline": 30}, "reserve": 20, "tasks": {"urgent": {"budget": {"deadline": 3}}}}
    async with running(["never"], ["in time"], route=route) as world:
        response = await world.ask(stream=stream, metadata={"task": "urgent"}, headers=EXPLAIN)
        assert world.small.calls == []
        assert 1 < (world.large.calls[0].seconds or 0) <= 3
    assert (response.headers["x-smallfirst-tier"], response.headers["x-smallfirst-deferrals"]) == ("large", "timeout")
    assert (response.headers["x-smallfirst-attempts"], account(response, stream=stream)["decision"]["permitted"]) == ("1", ["large"])


@MODES
async def test_a_deadline_that_no_tier_meets_is_a_timeout_and_leaves_nothing_running(stream: bool) -> None:
    async with running([Reply(hang=True)], [Reply(hang=True)], route={"budget": {"deadline": 0.6}}) as world:
        assert error(await world.ask(tools=TOOLS, stream=stream)) == (504, "timeout_error", "deadline_exceeded", None)
        assert (world.small.running, world.large.running) == ([], [])
        assert await world.metric("attempts_total", route="auto", tier="large", result="failed") == 1


@MODES
@pytest.mark.parametrize(
    ("small", "large", "winner", "loser"),
    [
        (Reply(chunks=("zq9", " two", " three"), pause=5), Reply(CALL, delay=0.02, usage=Usage(3, 4)), "large", "small"),
        (Reply(CALL, delay=0.4, usage=Usage(3, 4)), Reply(chunks=("zq9", " two", " three"), pause=5), "small", "large"),
    ],
    ids=["the rival wins", "the draft wins"],
)
async def test_the_loser_of_a_hedge_is_stopped_and_paid_for_once(small: Reply, large: Reply, winner: str, loser: str, stream: bool) -> None:
    """One piece of it had come: the prompt's word and this token are owed."""
    tiers = [
        {"name": "small", "engine": "slm", "price": PRICE},
        {"name": "large", "engine": "llm", "price": {"prompt": 10, "completion": 10}},
    ]
    async with running([small], [large], route={"tiers": tiers, "hedge_after": 0.03}) as world:
        response = await world.ask(tools=TOOLS, stream=stream, headers=EXPLAIN)
        found = await settled(world, response, stream=stream)
        engines = {"small": world.small, "large": world.large}
        assert [len(engines[name].cancelled) for name in (winner, loser)] == [0, 1]
        assert [len(engine.calls) for engine in engines.values()] == [1, 1]
        assert [len(engine.running) for engine in engines.values()] == [0, 0]
        assert await world.metric("attempts_total", route="auto", tier=loser, result="cancelled") == 1
        price = {"small": 1e-6, "large": 1e-5}
        assert await world.metric("cost_usd_total", route="auto", tier=loser, kind="cancelled") == pytest.approx(2 * price[loser])
        assert found == pytest.approx({"cancelled": 2 * price[loser], "answer": 7 * price[winner]})
    assert response.headers["x-smallfirst-tier"] == winner
    assert "zq9" not in response.text


@MODES
async def test_the_first_of_a_hedge_that_verifies_wins_and_not_the_first_that_ends(stream: bool) -> None:
    """The rival is done first and breaks its contract: the slow draft is the answer."""
    async with running([Reply(CALL, delay=0.4)], [Reply(WRONG, delay=0.01)], route={"hedge_after": 0.03}) as world:
        response = await world.ask(tools=TOOLS, stream=stream, headers=EXPLAIN)
        found = await settled(world, response, stream=stream)
    assert (response.headers["x-smallfirst-tier"], set(found)) == ("small", {"answer", "draft"})
    assert "launch_rocket" not in response.text


@MODES
@pytest.mark.parametrize("most", [1, 2])
async def test_a_cap_on_attempts_counts_rivals_and_repairs(most: int, stream: bool) -> None:
    route = {"budget": {"max_attempts": most}, "repair": 3, "hedge_after": 0.02}
    slow = Reply(WRONG, delay=0.06)
    async with running([slow], [Reply(CALL, delay=0.02)], route=route) as world:
        response = await world.ask(tools=TOOLS, stream=stream)
        asked = [len(world.small.calls), len(world.large.calls)]
    assert asked == [1, most - 1]
    assert response.status_code == (503 if most == 1 else 200)


@MODES
@pytest.mark.parametrize(("most", "calls"), [(3e-6, 1), (1e-3, 2)])
async def test_a_cap_on_money_counts_what_judges_took(most: float, calls: int, stream: bool) -> None:
    """The draft takes two dollars of a million and its judge more than one: nothing is left for the next tier."""

    def judging(call: EngineCall) -> str:
        return '{"reason":"no","ruling":"defer"}' if call.request_id.endswith("-judge") else "the large one"

    judge = {"kind": "judge", "engine": "llm", "rubric": "right", "price": PRICE}
    async with running(["draft"], judging, route={"verifiers": [judge], "budget": {"max_cost": most}}) as world:
        response = await world.ask(stream=stream)
        assert len(world.large.calls) == calls
    said = content(chunks(response)) if stream else response.json()["choices"][0]["message"]["content"]
    assert said == ("draft" if calls == 1 else "the large one")


ENDS = [
    (CALL, WRONG, 200, 503, "cascade_exhausted"),
    (CALL, FAILS, 200, 502, "engine_error"),
    (CALL, CUT, 200, 503, "cascade_exhausted"),
    (WRONG, WRONG, 503, 503, "cascade_exhausted"),
    (WRONG, FAILS, 502, 502, "engine_error"),
    (FAILS, WRONG, 503, 503, "cascade_exhausted"),
    (CUT, CUT, 400, 400, "max_tokens_too_small"),
    (Reply(""), Reply(""), 503, 503, "cascade_exhausted"),
]


@MODES
@pytest.mark.parametrize(("small", "large", "best", "strict", "code"), ENDS)
async def test_the_end_of_the_ladder_is_an_answer_that_keeps_its_form_or_an_error(
    small: Any, large: Any, best: int, strict: int, code: str, stream: bool
) -> None:
    for rule, status in (("best", best), ("error", strict)):
        async with running([small], [large], route={"verifiers": [DOUBT], "when_exhausted": rule}) as world:
            response = await world.ask(tools=TOOLS, stream=stream, max_tokens=50)
        assert response.status_code == status
        assert "launch_rocket" not in response.text
        if status == 200:
            assert response.headers["x-smallfirst-tier"] == "small"
        else:
            assert error(response)[2] == code


GUARD = {"kind": "guard", "patterns": ["zq9secret"]}
SECOND_BEST: dict[str, tuple[Reply, list[dict[str, Any]], dict[str, Any], bool]] = {
    "doubted before its form was checked": (Reply(WRONG), [DOUBT, {"kind": "contract"}], {"tools": TOOLS}, False),
    "doubted before its call was checked": (Reply(WRONG), [DOUBT, {"kind": "contract"}, {"kind": "function"}], {"tools": TOOLS}, False),
    "doubted before it was guarded": (Reply("the zq9secret"), [DOUBT, GUARD], {}, False),
    "doubted before its second choice was seen": (Reply(CALL, choices=(WRONG,)), [DOUBT], {"tools": TOOLS, "n": 2}, False),
    "the second choice not guarded": (Reply("fine", choices=("the zq9secret",)), [GUARD, DOUBT], {"n": 2}, False),
    "a call that keeps its form": (Reply(CALL), [DOUBT, {"kind": "contract"}, {"kind": "function"}], {"tools": TOOLS}, True),
    "prose that the guard lets pass": (Reply("harmless"), [DOUBT, GUARD], {}, True),
    "two good choices": (Reply(CALL, choices=(CALL,)), [DOUBT, {"kind": "function"}], {"tools": TOOLS, "n": 2}, True),
}


@MODES
@pytest.mark.parametrize(("draft", "verifiers", "asked", "fit"), SECOND_BEST.values(), ids=SECOND_BEST)
@pytest.mark.parametrize("end", [{}, {"budget": {"max_attempts": 1}}, {"budget": {"max_cost": 1e-9}}], ids=["fails", "attempts", "money"])
async def test_the_best_that_is_left_has_passed_every_hard_gate(
    draft: Reply, verifiers: list[dict[str, Any]], asked: dict[str, Any], fit: bool, end: dict[str, Any], stream: bool
) -> None:
    """Also those that were not asked yet when a soft verifier deferred it."""
    async with running([draft], [FAILS], route={"verifiers": verifiers, **end}) as world:
        response = await world.ask(stream=stream, headers=EXPLAIN, **asked)
        assert response.status_code == (200 if fit else 503 if end else 502)
        assert not any(word in response.text for word in ("launch_rocket", "zq9secret"))
        assert not fit or await settled(world, response, stream=stream)


async def test_a_gate_that_is_asked_late_is_asked_once_and_paid_for() -> None:
    """What had been asked of the draft before is not asked again."""
    classifier = {"engine": "llm", "policy": "secrets", "price": PRICE}
    clear = lambda call: "clear" if call.request_id.endswith("-guard") else FAILS  # noqa: E731
    for verifiers in ([DOUBT, {"kind": "guard", "classifier": classifier}], [{"kind": "guard", "classifier": classifier}, DOUBT]):
        async with running(["the draft"], clear, route={"verifiers": verifiers}) as world:
            response = await world.ask(headers=EXPLAIN)
            found = await settled(world, response, stream=False)
            told = account(response, stream=False)["attempts"][0]
        assert (response.status_code, told["deferral"], found["verifier"] > 0) == (200, "rule", True)
        assert len([call for call in world.large.calls if call.request_id.endswith("-guard")]) == 1
        assert sorted(verdict["verifier"] for verdict in told["verdicts"]) == ["contract", "guard", "rule"]


async def test_a_draft_that_is_not_given_is_not_asked_about_again() -> None:
    guard = {"kind": "guard", "classifier": {"engine": "llm", "policy": "secrets", "price": PRICE}}
    clear = lambda call: "clear" if call.request_id.endswith("-guard") else "the large one"  # noqa: E731
    async with running(["the draft"], clear, route={"verifiers": [DOUBT, guard]}) as world:
        assert (await world.ask()).headers["x-smallfirst-tier"] == "large"
        [line] = world.logged
    told = [[verdict["verifier"] for verdict in attempt["verdicts"]] for attempt in line["attempts"]]
    assert told == [["contract", "rule"], ["contract", "guard"]]


@MODES
@pytest.mark.parametrize(
    ("route", "large", "status"),
    [
        ({}, "the large one", 200),
        ({"verifiers": [DOUBT], "budget": {"max_attempts": 1}}, "the large one", 200),
        ({"verifiers": [DOUBT], "budget": {"max_cost": 1e-9}}, "the large one", 200),
        ({"verifiers": [{"kind": "guard", "patterns": ["draft"], "policy": "refuse"}]}, "the large one", 200),
        ({}, FAILS, 502),
        ({"verifiers": [DOUBT]}, FAILS, 502),
        ({"verifiers": [DOUBT]}, Reply(failure=EngineTimeout("slow")), 504),
    ],
    ids=["kept", "attempts", "money", "refused", "kept, then a failure", "doubted, then a failure", "a timeout"],
)
async def test_a_shadowed_draft_is_never_the_answer(
    route: dict[str, Any], large: Reply | str, status: int, stream: bool, tmp_path: Path
) -> None:
    """Whatever was said of it, and whatever becomes of the last tier: clients are answered as if it were not there."""
    stored = {"outcomes": {"url": f"sqlite:///{tmp_path / 'o.db'}"}}
    async with running(["the draft"], [large], route={"mode": "shadow", **route}, **stored) as world, alive(world):
        response = await world.ask(stream=stream)
        assert len(world.small.calls) == 1
    assert (response.status_code, "draft" in response.text) == (status, False)


@pytest.mark.parametrize("inside", [False, True])
async def test_an_audits_judge_outside_never_compares_what_must_stay_inside(inside: bool, tmp_path: Path) -> None:
    """The audit itself asks the last tier inside, so that there is something to compare."""
    names = (("small", "slm", "inside"), ("middle", "slm", "inside"), ("large", "llm", "outside"))
    tiers = [{"name": name, "engine": engine, "price": PRICE, "location": where} for name, engine, where in names]
    route = {"tiers": tiers, "audit": 1.0, "audit_judge": {"engine": "llm", "price": PRICE}}
    stored = {"outcomes": {"url": f"sqlite:///{tmp_path / 'o.db'}"}}
    async with running(["one answer of it", "quite another one"], ["never"], route=route, **stored) as world, alive(world):
        await world.ask("say something", **({"metadata": {"residency": "inside"}} if inside else {}))
    assert len(world.small.calls) == (2 if inside else 1)
    assert [call.request_id.rpartition("-")[2] for call in world.large.calls] == ([] if inside else ["audit", "judge"])


@MODES
@pytest.mark.parametrize(("price", "dollars"), [({"cached": 1}, 0.000_125), ({}, 0.000_260), ({"cached": 0}, 0.000_080)])
async def test_what_an_engine_had_in_its_cache_costs_what_its_price_says(price: dict[str, float], dollars: float, stream: bool) -> None:
    """In a rejected draft and in the answer; a count beyond the prompt is no more than the prompt."""
    seen = Usage(30, 5, cached_tokens=25)
    tiers = [
        {"name": "small", "engine": "slm", "price": {"prompt": 4, "completion": 4, **price}},
        {"name": "large", "engine": "llm", "price": {"prompt": 4, "completion": 4, **price}},
    ]
    replies = [Reply("draft", usage=seen)], [Reply("answer", usage=Usage(20, 10, cached_tokens=99))]
    async with running(*replies, route={"tiers": tiers, "verifiers": [DOUBT]}) as world:
        await world.ask(stream=stream)
        found, [line] = await books(world), world.logged
    assert [sum(found.values()), line["cost_usd"]] == pytest.approx([dollars] * 2)
