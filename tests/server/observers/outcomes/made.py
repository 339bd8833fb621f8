"""Outcomes and stores for the tests of this folder."""

from contextlib import closing
from pathlib import Path
from typing import Any

from router import contract
from router.types import (
    Attempt,
    Choice,
    Decision,
    Generation,
    GenerationRequest,
    Message,
    Outcome,
    Part,
    Ruling,
    Token,
    Tool,
    Usage,
    Verdict,
    Violation,
)
from server.observers.outcomes.address import engine
from server.observers.outcomes.database import Database
from server.observers.outcomes.encoding import Encoder
from server.observers.outcomes.ports import Label, Row
from server.observers.outcomes.recorder import Bounds, Recorder, Told

SECRET = "Xylophone"
TIMER = Tool("set_timer", {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]}, "Start a timer.")
TOOLS = contract.tools([TIMER])


def call(minutes: int) -> str:
    return f'{{"tool_calls":[{{"name":"set_timer","arguments":{{"minutes":{minutes}}}}}]}}'


def request(response_id: str = "chatcmpl-1", form: Any = TOOLS) -> GenerationRequest:
    return GenerationRequest(response_id, "auto", (Message("user", (Part("text", f"{SECRET}: timer of 5 minutes"),)),), form)


def attempt(tier: str, text: str, deferral: Any = None, confidence: float | None = None) -> Attempt:
    tokens = tuple(Token(word, -0.1, -0.2, True) for word in text.split(" "))
    usage = Usage(11, 7)
    ruling = Ruling.DEFER if deferral else Ruling.ACCEPT
    verdict = Verdict("webhook", ruling, f"saw {SECRET}", confidence, violations=(Violation(f"/{SECRET}", SECRET),))
    return Attempt(
        tier, "try", Generation((Choice(text, "stop", tokens),), usage), verdicts=(verdict,), deferral=deferral, usage=usage, cost=0.001
    )


def outcome(*attempts: Attempt, response_id: str = "chatcmpl-1", answer: int | None = -1, code: str = "ok") -> Outcome:
    kept = len(attempts) - 1 if answer == -1 else answer
    return Outcome(response_id, "auto", Decision(("small", "large")), attempts, kept, code, 0.5)


def kept_small(response_id: str = "chatcmpl-1", confidence: float = 0.9) -> tuple[GenerationRequest, Outcome]:
    return request(response_id), outcome(attempt("small", call(5), confidence=confidence), response_id=response_id)


def climbed(response_id: str = "chatcmpl-1", small: int = 4) -> tuple[GenerationRequest, Outcome]:
    drafts = attempt("small", call(small), "confidence", 0.4), attempt("large", call(5))
    return request(response_id), outcome(*drafts, response_id=response_id)


def label(response_id: str = "chatcmpl-1", correct: float = 1.0, **given: Any) -> Label:
    facts: dict[str, Any] = {
        "tier": "small", "source": "audit", "weight": 100.0, "route": "auto", "family": "f", "confidence": 0.9, "kept": True,
        "asked_at": 1000.0, "at": 1001.0,
    }  # fmt: skip
    return Label(response_id, correct=correct, **facts | given)


def database(folder: Path) -> Database:
    return Database(engine("sqlite:///state/outcomes.db", folder))


def stored(folder: Path) -> list[tuple[Row, tuple[Label, ...]]]:
    """The labelled outcomes of that database, which is closed again."""
    with closing(database(folder)) as store:
        return list(store.labelled())


class Ears:
    """Who is told."""

    def __init__(self) -> None:
        self.lost = 0
        self.labels: list[tuple[str, str, bool]] = []
        self.lines: list[str] = []

    def lose(self, count: int) -> None:
        self.lost += count

    def told(self) -> Told:
        return Told(self.lose, lambda *label: self.labels.append(label), self.lines.append)


def recorder(store: Any, ears: Ears | None = None, *, content: bool = False, **bounds: Any) -> Recorder:
    return Recorder(
        store, Encoder(content), lambda: 1000.0, (ears or Ears()).told(), Bounds(**{"seconds": 0.01, "patience": 0.02} | bounds)
    )
