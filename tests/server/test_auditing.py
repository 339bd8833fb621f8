import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router import contract
from router.cascade import Cascade
from router.errors import EngineTimeout
from router.policy import Rules
from router.registry import verifiers
from router.route import Route
from router.types import Choice, Decision, GenerationRequest, Outcome, Price, Tab, Tier, Usage
from server.auditing import Audited, Auditor, Heard, drawn, eligible
from server.engines.scripted import Reply, ScriptedEngine
from server.observers.outcomes.ports import Label
from tests.server.harness import CALL, TOOLS, WRONG, alive, running
from tests.server.observers.outcomes.made import call, climbed, database, kept_small, outcome, recorder, request, stored

ROUTE = Route("auto", (Tier("small", "slm"), Tier("large", "llm", Price(10, 10))), (), Rules())


class Ears:
    def __init__(self) -> None:
        self.labels: list[Label] = []
        self.costs: list[tuple[str, str, float]] = []
        self.missed: list[tuple[str, str]] = []
        self.tokens: list[tuple[str, str, Usage]] = []

    def heard(self) -> Heard:
        return Heard(
            self.labels.append,
            lambda *cost: self.costs.append(cost),
            lambda *why: self.missed.append(why),
            tokens=lambda *read: self.tokens.append(read),
        )


def auditor(
    ears: Ears, reply: Any, rate: float = 1.0, judge: Any = None, route: Route = ROUTE, **given: Any
) -> tuple[Auditor, ScriptedEngine]:
    engine = ScriptedEngine("llm", reply if callable(reply) else [reply])
    engines = {"slm": ScriptedEngine("slm"), "llm": engine}
    return Auditor(
        {"auto": Audited(lambda: route, rate, judge)}, engines, ears.heard(), wall=lambda: 1000.0, **{"delay": 0.0} | given
    ), engine


@pytest.mark.parametrize(("reply", "correct"), [(call(5), 1.0), (call(6), 0.0), ('{"message":"no"}', 0.0)])
async def test_a_kept_answer_is_labelled_by_its_agreement_with_the_last_tier(reply: str, correct: float) -> None:
    ears = Ears()
    made, engine = auditor(ears, reply, rate=1.0)
    made.observe(*kept_small("a"))
    assert engine.calls == []
    await made.idle()
    (label,) = ears.labels
    assert (label.response_id, label.tier, label.source, label.correct, label.weight) == ("a", "small", "audit", correct, 1.0)
    assert (label.kept, label.confidence) == (True, 0.9)
    assert label.cost > 0
    assert ears.costs == [("auto", "large", label.cost)]
    assert sum(usage.total_tokens for *_, usage in ears.tokens) * 10 / 1e6 == pytest.approx(label.cost)
    assert engine.calls[0].messages == kept_small()[0].messages
    assert json.loads(label.detail or "").keys() == {"usage", "seconds", "finish_reason"}


async def test_the_weight_is_the_inverse_of_the_rate_and_lots_are_fair_and_repeatable() -> None:
    ears = Ears()
    made, engine = auditor(ears, call(5), rate=0.1, queue=10_000)
    for number in range(600):
        made.observe(*kept_small(str(number)))
    await made.idle()
    assert 35 <= len(engine.calls) <= 90
    assert {label.weight for label in ears.labels} == {10.0}
    assert {label.response_id for label in ears.labels} == {str(number) for number in range(600) if drawn(str(number), 0.1)}
    assert [drawn(str(n), 0.5, "one") for n in range(64)] != [drawn(str(n), 0.5, "two") for n in range(64)]
    assert not any(drawn(str(n), 0.0) for n in range(64))
    assert all(drawn(str(n), 1.0) for n in range(64))


def closed_large(request_id: str) -> tuple[GenerationRequest, Any]:
    asked, done = kept_small(request_id)
    return asked, replace(done, decision=Decision(("small",)))


def test_a_tier_that_residency_forbids_is_never_asked() -> None:
    assert not eligible(*closed_large("a"))


def test_only_answers_kept_below_the_last_tier_are_audited() -> None:
    asked, done = kept_small()
    assert eligible(asked, done)
    assert not eligible(*climbed())
    assert not eligible(replace(asked, pinned="small"), done)
    assert not eligible(asked, replace(done, code="cancelled"))
    assert not eligible(asked, outcome(answer=None, code="cascade_exhausted"))


async def test_an_engine_that_fails_makes_no_label_but_its_cost_counts() -> None:
    ears = Ears()
    made, _ = auditor(ears, Reply("{", failure=EngineTimeout("slow")))
    made.observe(*kept_small("a"))
    await made.idle()
    assert ears.labels == []
    assert ears.missed == [("auto", "timeout")]
    assert ears.costs[0][2] > 0


async def test_a_second_answer_that_breaks_the_contract_is_no_reference() -> None:
    ears = Ears()
    made, _ = auditor(ears, '{"tool_calls":[{"name":"launch","arguments":{}}]}')
    made.observe(*kept_small("a"))
    await made.idle()
    assert (ears.labels, ears.missed) == ([], [("auto", "incomparable")])


async def test_prose_has_no_label_unless_a_judge_compares_it() -> None:
    async def judge(asked: GenerationRequest, kept: Choice, reference: Choice, tab: Tab) -> float:  # noqa: ARG001
        tab.add(0.5)
        return 0.75

    asked = request("a", contract.text())
    done = replace(kept_small("a")[1])
    for given, labels in ((None, []), (judge, [0.75])):
        ears = Ears()
        made, _ = auditor(ears, "prose", judge=given)
        made.observe(asked, done)
        await made.idle()
        assert [label.correct for label in ears.labels] == labels
    assert [cost for _, _, cost in ears.costs][-1] == 0.5


async def test_a_full_queue_is_counted_and_never_more_than_the_slots_run_at_once() -> None:
    ears = Ears()
    made, engine = auditor(ears, Reply(call(5), delay=0.02), concurrency=2, queue=5)
    for number in range(8):
        made.observe(*kept_small(str(number)))
    await asyncio.sleep(0.01)
    assert len(engine.running) == 2
    await made.idle()
    assert len(ears.labels) == 5
    assert ears.missed == [("auto", "queue_full")] * 3


async def test_closing_waits_for_a_while_and_then_cancels() -> None:
    ears = Ears()
    made, engine = auditor(ears, Reply("begun", hang=True))
    made.observe(*kept_small("a"))
    await made.close(0.02)
    assert (engine.running, len(engine.cancelled)) == ([], 1)
    assert ears.labels == []
    assert ears.costs[0][2] > 0


async def test_the_response_goes_before_its_audit() -> None:
    ears = Ears()
    made, engine = auditor(ears, call(5), delay=0.02)
    made.observe(*kept_small("a"))
    await asyncio.sleep(0.005)
    assert engine.calls == []
    await made.idle()
    assert len(engine.calls) == 1


async def test_a_cascade_under_audit_answers_first_and_is_labelled_afterwards(tmp_path: Path) -> None:
    """The whole way: cascade, recorder, auditor, store."""
    ears, store = Ears(), database(tmp_path)
    kept = recorder(store)
    made, _ = auditor(ears, call(6))
    made.heard = Heard(kept.label)

    def observe(asked: GenerationRequest, done: Outcome) -> None:
        kept.observe(asked, done)
        made.observe(asked, done)

    route = replace(ROUTE, verifiers=(verifiers.build({"kind": "contract"}, "v"),))
    engines = {"slm": ScriptedEngine("slm", [call(5)]), "llm": ScriptedEngine("llm", [call(6)])}
    finished = await Cascade(route, engines, time.monotonic, observe).run(request("chatcmpl-9"))
    assert finished.outcome.kept is not None
    assert finished.outcome.kept.tier == "small"
    await made.idle()
    await asyncio.to_thread(kept.close)
    ((row, labels),) = stored(tmp_path)
    assert (row.response_id, row.tier, [label.correct for label in labels]) == ("chatcmpl-9", "small", [0.0])


async def test_with_content_the_second_answer_is_kept_with_the_label() -> None:
    ears = Ears()
    made, _ = auditor(ears, call(6), content=True)
    made.observe(*kept_small("a"))
    await made.idle()
    assert json.loads(ears.labels[0].detail or "")["message"]["tool_calls"][0]["function"]["name"] == "set_timer"


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_an_audit_asks_what_a_request_that_climbs_would_ask(tmp_path: Path, stream: bool) -> None:
    """Its prompt begins schema-first where the last tier's does, with the log-probabilities that the client wants."""
    tiers = [
        {"name": name, "engine": engine, "price": {"prompt": 1, "completion": 1}} for name, engine in (("small", "slm"), ("large", "llm"))
    ]
    tiers[1]["schema_first"] = {"examples": 0, "proven": 2}
    kept = {"outcomes": {"url": f"sqlite:///{tmp_path}/o.db", "content": True}}
    body = {"tools": TOOLS, "tool_choice": "required", "stream": stream, "temperature": 0.3, "seed": 7}
    async with running([CALL, CALL, WRONG], [CALL], route={"tiers": tiers, "audit": 1.0}, **kept) as world, alive(world):
        await world.ask("four minutes", **body)
        await world.ask("five minutes", **body)
        while len(world.large.calls) < 2:
            await asyncio.sleep(0.02)
        await world.ask("five minutes", **body)
    audited, climbed_ = world.large.calls[1:]
    assert "set_timer(minutes: integer 1..)" in audited.guide
    assert audited.guide.count(" => ") == 1
    same = {"request_id": "", "live": False, "seconds": None}
    assert replace(audited, **same) == replace(climbed_, **same)  # type: ignore[arg-type]
