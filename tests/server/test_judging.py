"""Prose in audits: a model compares, fails safe, and never sees what it may not."""

import json
from dataclasses import replace

import pytest

from router import contract
from router.asking import Rate
from router.errors import ConfigError, EngineTimeout
from router.types import Choice, Tab
from server.engines.scripted import Reply, ScriptedEngine
from server.judging import AgreementJudge
from tests.server.harness import settings
from tests.server.observers.outcomes.made import request

KEPT, REFERENCE = Choice("Paris is the capital.", "stop"), Choice("It is Paris.", "stop")


def ruling(word: str) -> str:
    return json.dumps({"reason": "so it is", "ruling": word})


def judge(reply: object, *, outside: bool = False) -> tuple[AgreementJudge, ScriptedEngine]:
    engine = ScriptedEngine("judge", [reply])  # type: ignore[list-item]
    return AgreementJudge(engine, Rate(1e6, 1e6), outside=outside), engine


@pytest.mark.parametrize(
    ("reply", "correct"),
    [
        (ruling("agree"), 1.0),
        (ruling("differ"), 0.0),
        (ruling("abstain"), None),
        (ruling("splendid"), None),
        ("they agree", None),
        (Reply("{", failure=EngineTimeout("slow")), None),
    ],
)
async def test_a_ruling_is_a_label_and_anything_else_is_none(reply: object, correct: float | None) -> None:
    made, _ = judge(reply)
    assert await made(request("a", contract.text()), KEPT, REFERENCE, tab := Tab()) == correct
    assert tab.cost > 0


async def test_what_must_stay_inside_is_never_shown_to_a_judge_outside() -> None:
    made, engine = judge(ruling("agree"), outside=True)
    assert await made(replace(request("a", contract.text()), inside_only=True), KEPT, REFERENCE, tab := Tab()) is None
    assert tab == Tab()
    assert engine.calls == []


async def test_either_answer_may_stand_first_and_none_is_told_to_be_the_larger_models() -> None:
    made, engine = judge(ruling("agree"))
    for number in range(20):
        await made(request(f"r{number}", contract.text()), KEPT, REFERENCE, Tab())
    shown = [json.loads(call.messages[1].text) for call in engine.calls]
    assert {one["first"] for one in shown} == {KEPT.text, REFERENCE.text}
    assert all(set(one) == {"conversation", "first", "second"} for one in shown)


@pytest.mark.parametrize(
    ("route", "key"),
    [
        ({"audit": 0.1, "audit_judge": {"engine": "nobody", "price": {"prompt": 1, "completion": 1}}}, "routes.auto.audit_judge.engine"),
        ({"audit_judge": {"engine": "llm", "price": {"prompt": 1, "completion": 1}}}, "routes.auto.audit_judge"),
    ],
)
def test_a_judge_that_would_never_be_asked_is_refused(route: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(route=route, outcomes={"url": "sqlite:///o.db"})
    assert key in str(caught.value.message)
