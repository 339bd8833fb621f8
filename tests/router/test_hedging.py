"""A slow draft gets a rival: the first answer that is kept wins, the loser is stopped, counted and never seen."""

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from router.cascade import Cascade
from router.errors import EngineFailure
from router.events import Finished
from router.hedging import race
from router.policy import REFUSED, Rules
from router.types import Budget, Contract, Draft, Evidence, Ruling, Sampling, Usage, Verdict
from server.engines.scripted import Reply
from tests.router.test_cascade import Doubt, World, events, request, text, world

HEDGED = Rules(repair=0, hedge_after=0.02)
SLOW = Reply(chunks=("slow ", "fine"), pause=0.15)
JSON = Contract("json_object", '{"type":"object"}')


@dataclass(frozen=True, slots=True)
class Refusing:
    """A guard whose refusal speaks for every tier."""

    word: str
    kind: ClassVar[str] = "guard"
    needs: Evidence = Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        if self.word in draft.choice.text:
            return Verdict("guard", Ruling.DEFER, REFUSED)
        return Verdict("guard", Ruling.NOT_APPLICABLE)


async def test_a_quick_draft_has_no_rival() -> None:
    at = world("fine", "large")
    finished = await at.cascade(rules=HEDGED).run(request())
    assert (text(finished), at.large.calls) == ("fine", [])


@pytest.mark.parametrize("stream", [False, True])
async def test_the_rival_of_a_slow_draft_wins_and_the_draft_is_stopped_and_paid_for(stream: bool) -> None:
    at = world(SLOW, "large")
    found = await events(at.cascade(rules=HEDGED), request(stream=stream, contract=JSON))
    finished = found[-1]
    assert isinstance(finished, Finished)
    assert text(finished) == "large"
    assert len(at.small.cancelled) == 1
    loser, winner = finished.outcome.attempts
    assert (loser.tier, loser.cancelled, loser.generation) == ("small", True, None)
    assert loser.cost > 0
    assert (winner.tier, finished.outcome.answer) == ("large", 1)
    assert finished.outcome.cost == pytest.approx(loser.cost + winner.cost)
    assert "slow" not in repr(found)


async def test_a_draft_that_is_kept_first_stops_its_rival() -> None:
    at = world(Reply("fine", delay=0.05), Reply("large", delay=1.0))
    finished = await at.cascade(rules=HEDGED).run(request())
    assert text(finished) == "fine"
    assert [(attempt.tier, attempt.cancelled) for attempt in finished.outcome.attempts] == [("large", True), ("small", False)]
    assert (len(at.large.cancelled), at.large.running) == (1, [])


async def test_a_first_draft_that_is_not_kept_leaves_the_race_to_its_rival() -> None:
    at = world(Reply("maybe", delay=0.04), Reply("large", delay=0.06))
    finished = await at.cascade(rules=HEDGED).run(request())
    assert text(finished) == "large"
    assert finished.outcome.deferrals == ("confidence",)
    assert not any(attempt.cancelled for attempt in finished.outcome.attempts)


async def test_a_rival_that_fails_first_leaves_the_race_to_the_draft() -> None:
    at = world(Reply("fine", delay=0.06), Reply(failure=EngineFailure("down")))
    finished = await at.cascade(rules=HEDGED).run(request())
    assert text(finished) == "fine"
    assert [attempt.tier for attempt in finished.outcome.attempts] == ["large", "small"]


async def test_where_neither_is_kept_the_best_is_returned() -> None:
    at = world(Reply("maybe", delay=0.06), Reply("wrong"))
    finished = await at.cascade(rules=HEDGED).run(request())
    assert text(finished) == "maybe"
    assert [attempt.deferral for attempt in finished.outcome.attempts] == ["confidence", "contract"]


async def test_an_answer_that_a_guard_refuses_ends_the_race_too() -> None:
    at = world(Reply("wrong", delay=0.05), Reply("large", delay=1.0))
    finished = await at.cascade(Refusing("wrong"), Doubt(), rules=HEDGED).run(request())
    assert finished.error is not None
    assert finished.error.code == "cascade_exhausted"
    assert finished.generation is None


async def test_both_drafts_of_a_client_that_leaves_are_stopped_and_counted() -> None:
    at = world(Reply("a b", hang=True), Reply("c d", hang=True))
    task = asyncio.create_task(at.cascade(rules=HEDGED).run(request()))
    while not at.large.running:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (outcome,) = at.outcomes
    assert (outcome.code, [attempt.cancelled for attempt in outcome.attempts]) == ("cancelled", [True, True])
    assert (at.small.running, at.large.running) == ([], [])
    assert all(attempt.cost > 0 for attempt in outcome.attempts)


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        (request(budget=Budget(max_attempts=1)), {}),
        (request(pinned="small"), {}),
        (request(), {"mode": "shadow"}),
    ],
)
async def test_no_rival_starts_where_there_is_no_second_attempt_to_spend(asked: Any, route: dict[str, Any]) -> None:
    at = world(Reply("fine", delay=0.05), "large")
    finished = await at.cascade(rules=HEDGED, **route).run(asked)
    assert not any(attempt.cancelled for attempt in finished.outcome.attempts)
    assert finished.outcome.attempts[0].tier == "small"


async def test_a_rival_of_the_middle_tier_that_is_not_kept_is_followed_by_the_tiers_above() -> None:
    at = world(Reply("maybe", delay=0.06), "maybe")
    top = world("-", "top").large
    cascade = at.cascade(rules=HEDGED)
    tiers = (*cascade.route.tiers, type(cascade.route.tiers[0])("top", "top"))
    made = Cascade(type(cascade.route)("auto", tiers, cascade.route.verifiers, HEDGED), {**cascade.engines, "top": top}, cascade.clock)
    finished = await made.run(request())
    assert [attempt.tier for attempt in finished.outcome.attempts] == ["small", "large", "top"]
    assert text(finished) == "top"


async def test_a_failure_of_the_race_leaves_nothing_running() -> None:
    async def broken() -> int:
        await asyncio.sleep(0.02)
        raise ZeroDivisionError

    async def endless() -> int:
        await asyncio.Event().wait()
        return 1

    before = asyncio.all_tasks()
    with pytest.raises(ZeroDivisionError):
        await race(broken, endless, 0.001, bool)
    assert asyncio.all_tasks() == before


async def test_usage_that_the_engine_told_is_counted_for_winner_and_loser() -> None:
    at: World = world(Reply("a", chunks=("a ", "b"), pause=0.5), Reply("large", usage=Usage(5, 7)))
    finished = await at.cascade(rules=HEDGED).run(request(sampling=Sampling()))
    assert finished.outcome.usage.completion_tokens == 7 + finished.outcome.attempts[0].usage.completion_tokens
    assert finished.outcome.attempts[0].usage.prompt_tokens == 2
