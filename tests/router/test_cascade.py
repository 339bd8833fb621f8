"""The loop over scripted engines: what is kept, what is deferred, what is counted, and that nothing of a rejected draft is seen."""

import asyncio
import gc
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest

from router.cascade import Cascade
from router.errors import EngineFailure, EngineTimeout
from router.events import Committed, Delta, Event, Finished
from router.policy import Rules
from router.ports import Verifier
from router.route import Route
from router.types import (
    Budget,
    Contract,
    Draft,
    Evidence,
    GenerationRequest,
    Message,
    Outcome,
    Part,
    Price,
    Ruling,
    Sampling,
    Tier,
    Usage,
    Verdict,
    Violation,
)
from server.engines.scripted import Reply, ScriptedEngine


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """Refuses texts that hold a word; `kind` decides whether it is a hard gate."""

    word: str
    name: str = "contract"
    ruling: Ruling = Ruling.DEFER
    otherwise: Ruling = Ruling.ACCEPT
    kind: ClassVar[str] = "contract"
    needs: Evidence = Evidence.NONE

    async def judge(self, draft: Draft) -> Verdict:
        if self.word in draft.choice.text:
            return Verdict(self.name, self.ruling, "the word", violations=(Violation("", f"holds {self.word}"),), repairable=True)
        return Verdict(self.name, self.otherwise)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A soft judge: sure of nothing that says 'maybe'."""

    cost: float = 0.0
    kind: ClassVar[str] = "confidence"
    needs: Evidence = Evidence.LOGPROBS

    async def judge(self, draft: Draft) -> Verdict:
        unsure = "maybe" in draft.choice.text
        return Verdict("confidence", Ruling.DEFER if unsure else Ruling.ACCEPT, confidence=0.3 if unsure else 0.9, cost=self.cost)


@dataclass
class World:
    small: ScriptedEngine
    large: ScriptedEngine
    outcomes: list[Outcome] = field(default_factory=list)

    def cascade(self, *verifiers: Verifier, rules: Rules = Rules(repair=0), **route: Any) -> Cascade:
        tiers = (Tier("small", "small", Price(1, 1)), Tier("large", "large", Price(10, 10)))
        made = Route("auto", tiers, verifiers or (Gatekeeper("wrong"), Doubt()), rules, **route)
        engines = {"small": self.small, "large": self.large}
        return Cascade(made, engines, time.monotonic, lambda request, outcome: self.outcomes.append(outcome))


def world(small: Any, large: Any) -> World:
    def script(reply: Any) -> Any:
        return reply if isinstance(reply, list) else [reply]

    return World(ScriptedEngine("small", script(small)), ScriptedEngine("large", script(large)))


def request(**fields: Any) -> GenerationRequest:
    return GenerationRequest("r", "auto", (Message("user", (Part("text", "one two"),)),), **fields)


async def events(cascade: Cascade, asked: GenerationRequest) -> list[Event]:
    async with aclosing(cascade.stream(asked)) as stream:
        return [event async for event in stream]


def text(finished: Finished) -> str:
    assert finished.generation is not None
    return finished.generation.choices[0].text


async def test_a_sure_draft_of_the_small_tier_is_kept_and_the_large_one_never_asked() -> None:
    at = world("fine", "large")
    finished = await at.cascade().run(request())
    assert text(finished) == "fine"
    assert at.large.calls == []
    assert finished.outcome.kept is not None
    assert (finished.outcome.kept.tier, finished.outcome.kept.confidence) == ("small", 0.9)


@pytest.mark.parametrize(("draft", "reason"), [("wrong", "contract"), ("maybe", "confidence")])
async def test_a_doubtful_or_broken_draft_defers_with_its_reason(draft: str, reason: str) -> None:
    finished = await world(draft, "large").cascade().run(request())
    assert text(finished) == "large"
    assert finished.outcome.deferrals == (reason,)


@pytest.mark.parametrize("failure", [EngineFailure("500"), EngineTimeout("slow")])
async def test_an_engines_failure_on_a_lower_tier_is_a_deferral(failure: EngineFailure) -> None:
    finished = await world(Reply(failure=failure), "large").cascade().run(request())
    assert text(finished) == "large"
    assert finished.outcome.deferrals == ("timeout" if failure.code == "timeout" else "engine_error",)


async def test_an_engines_failure_on_the_last_tier_is_the_clients() -> None:
    finished = await world("wrong", Reply(failure=EngineTimeout("slow"))).cascade().run(request())
    assert isinstance(finished.error, EngineTimeout)
    assert finished.outcome.code == "timeout"


async def test_a_verifier_that_could_not_rule_defers() -> None:
    """A broken verifier never turns the gateway into cheap only."""
    finished = await world("fine wrong", "large").cascade(Gatekeeper("wrong", ruling=Ruling.UNABLE)).run(request())
    assert text(finished) == "large"
    assert finished.outcome.deferrals == ("abstain",)


@pytest.mark.parametrize(("rule", "tier"), [("defer", "large"), ("accept", "small")])
async def test_when_all_abstain_the_route_decides(rule: Any, tier: str) -> None:
    cascade = world("fine", "large").cascade(Gatekeeper("wrong", otherwise=Ruling.NOT_APPLICABLE), rules=Rules(when_all_abstain=rule))
    finished = await cascade.run(request())
    assert finished.outcome.kept is not None
    assert finished.outcome.kept.tier == tier


async def test_only_hard_gates_reject_on_the_last_tier() -> None:
    finished = await world("wrong", "maybe").cascade().run(request())
    assert text(finished) == "maybe"


async def test_a_pinned_tier_keeps_its_gates() -> None:
    finished = await world("wrong", "large").cascade().run(request(pinned="small"))
    assert finished.error is not None
    assert finished.error.code == "cascade_exhausted"


async def test_the_best_attempt_is_returned_and_not_the_last_one() -> None:
    finished = await world("maybe", "wrong").cascade().run(request())
    assert text(finished) == "maybe"
    assert [attempt.deferral for attempt in finished.outcome.attempts] == ["confidence", "contract"]


async def test_a_repair_is_told_the_violations_and_asked_of_the_same_tier() -> None:
    at = world(["wrong", "mended"], "large")
    finished = await at.cascade(rules=Rules(repair=1)).run(request())
    assert text(finished) == "mended"
    first, second = at.small.calls
    assert second.messages[: len(first.messages)] == first.messages
    assert "holds wrong" in second.messages[-1].text
    assert [attempt.kind for attempt in finished.outcome.attempts] == ["try", "repair"]


async def test_every_attempt_and_verifier_is_paid_for() -> None:
    at = world(Reply("maybe", usage=Usage(100, 10)), Reply("fine", usage=Usage(100, 20)))
    finished = await at.cascade(Gatekeeper("wrong"), Doubt(cost=0.5)).run(request())
    assert finished.outcome.cost == pytest.approx(110e-6 + 1200e-6 + 0.5)
    assert finished.outcome.usage.total_tokens == 230


async def test_every_choice_must_pass() -> None:
    at = world(Reply("fine", choices=("wrong",)), Reply("good", choices=("better",)))
    finished = await at.cascade().run(request(sampling=Sampling(n=2)))
    assert finished.generation is not None
    assert [choice.text for choice in finished.generation.choices] == ["good", "better"]


async def test_nothing_of_a_rejected_draft_is_in_the_stream() -> None:
    at = world(Reply(chunks=("wr", "ong secret")), Reply(chunks=("right", " answer")))
    found = await events(at.cascade(), request(stream=True))
    assert isinstance(found[0], Committed)
    assert found[0].tier == "large"
    assert "".join(event.chunk.text for event in found if isinstance(event, Delta)) == "right answer"
    assert isinstance(found[-1], Finished)


async def test_an_answer_with_a_form_is_judged_before_it_is_shown_on_the_last_tier_too() -> None:
    at = world("wrong", "wrong again")
    found = await events(at.cascade(), request(stream=True, contract=Contract("json_schema", "{}")))
    assert [type(event) for event in found] == [Finished]


async def test_a_live_stream_that_breaks_before_its_first_text_is_an_ordinary_error() -> None:
    found = await events(world("wrong", Reply(failure=EngineFailure("down"))).cascade(), request(stream=True))
    assert [type(event) for event in found] == [Finished]


async def test_a_live_stream_that_breaks_later_ends_with_its_error() -> None:
    found = await events(world("wrong", Reply(chunks=("half",), failure=EngineFailure("reset"))).cascade(), request(stream=True))
    assert [type(event) for event in found] == [Committed, Delta, Finished]
    assert isinstance(found[-1], Finished)
    assert found[-1].error is not None
    assert found[-1].outcome.code == "engine_error"


async def test_a_client_that_leaves_cancels_the_engine_and_is_still_counted() -> None:
    at = world(Reply(chunks=("some", " text"), hang=True), "large")
    task = asyncio.create_task(at.cascade().run(request()))
    while not at.small.running:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(at.small.cancelled) == 1
    (outcome,) = at.outcomes
    assert outcome.code == "cancelled"
    assert outcome.attempts[0].cancelled
    assert outcome.cost > 0


async def test_every_request_is_observed_exactly_once() -> None:
    at = world(["fine", "wrong", "fine"], ["large", Reply(failure=EngineFailure("down"))])
    cascade = at.cascade()
    for stream in (False, False, True):
        await events(cascade, request(stream=stream))
    async with aclosing(cascade.stream(request(stream=True))) as stream:
        await anext(stream)
    assert [outcome.code for outcome in at.outcomes] == ["ok", "ok", "ok", "cancelled"]


async def test_evidence_is_asked_once_and_only_where_it_is_used() -> None:
    at = world("maybe", "large")
    await at.cascade().run(request())
    assert at.small.calls[0].evidence == Evidence.LOGPROBS
    assert at.large.calls[0].evidence == Evidence.NONE


async def test_a_deadline_bounds_every_call() -> None:
    at = world(Reply(hang=True), Reply(hang=True))
    finished = await at.cascade().run(request(budget=Budget(deadline=0.05)))
    assert all(call.seconds is not None and call.seconds <= 0.05 for call in (*at.small.calls, *at.large.calls))
    assert finished.error is not None
    assert finished.error.code == "deadline_exceeded"


async def test_a_draft_that_hangs_leaves_the_last_tier_its_time() -> None:
    at = world(Reply(hang=True), "large")
    finished = await at.cascade(rules=Rules(reserve=0.35)).run(request(budget=Budget(deadline=0.4)))
    assert text(finished) == "large"
    assert finished.outcome.deferrals == ("timeout",)
    assert at.small.calls[0].seconds is not None
    assert at.small.calls[0].seconds <= 0.4 - 0.35 + 1e-9
    assert at.large.calls[0].seconds is not None
    assert at.large.calls[0].seconds > 0.2


async def test_a_draft_that_usually_takes_too_long_for_the_deadline_is_not_tried() -> None:
    at = world("fine", "large")
    slow = replace(at.cascade(), usual=lambda tier: 3.0)
    hurried = await slow.run(request(budget=Budget(deadline=4.0)))
    assert (text(hurried), at.small.calls) == ("large", [])
    assert [(skip.tier, skip.reason) for skip in hurried.outcome.decision.skipped] == [("small", "timeout")]
    assert text(await slow.run(request(budget=Budget(deadline=8.0)))) == "fine"
    assert text(await slow.run(request())) == "fine"


async def test_a_route_that_is_off_asks_the_last_tier_alone() -> None:
    at = world("fine", "large")
    finished = await at.cascade(mode="off").run(request())
    assert text(finished) == "large"
    assert at.small.calls == []


async def test_a_request_is_freed_when_it_is_done_and_waits_for_no_garbage_collector() -> None:
    cascade = world("maybe", "large").cascade()
    await cascade.run(request())
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await cascade.run(request())
        gc.collect()
        assert not [found for found in gc.garbage if isinstance(found, GenerationRequest)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
