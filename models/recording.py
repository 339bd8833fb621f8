"""What the bundled pair answers under guided decoding, with its evidence and whether it is right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from models.generate import examples, same_answer
from router import contract
from router.attempting import Running
from router.calibration.examples import Example as Labelled
from router.calibration.examples import Label, example
from router.ports import Engine
from router.registry import scores
from router.types import Choice, Draft, EngineCall, Evidence, GenerationRequest, Message, Part, Tier
from server.assistant import registry

HANDWRITTEN = Path(__file__).absolute().parent / "handwritten.jsonl"
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A request with the functions that it offers and its right answer."""

    request: str
    functions: tuple[str, ...]
    answer: str
    kind: str
    hard: bool
    system: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A case with what a tier said to it; `choice` is `None` where the engine failed."""

    case: Case
    request: GenerationRequest
    choice: Choice | None

    @property
    def right(self) -> bool:
        return self.choice is not None and same_answer(self.choice.text, self.case.answer)


def generated(split: Literal["calibration", "test"], n: int, seed: int) -> list[Case]:
    """The first n requests of a held-out split, 60 % of them easy."""
    return [
        Case(e.messages[-1].content, e.functions, e.answer, e.kind, e.hard, own_system(e.messages[0].content))
        for e in islice(examples(split, seed), n)
    ]


def own_system(content: str) -> str:
    """The system text before the line that names the functions, which the gateway writes itself."""
    return content.rpartition("\n")[0]


def handwritten() -> list[Case]:
    """Requests as people type them, never generated and never trained on."""
    rows = map(json.loads, HANDWRITTEN.read_text(encoding="utf-8").splitlines())
    return [
        Case(row["request"], tuple(row["functions"]), json.dumps(row["answer"]), row["kind"], row["difficulty"] == "hard") for row in rows
    ]


def asked(case: Case, index: int) -> GenerationRequest:
    """The request as the gateway would see it, with the typed registry's tools."""
    system = (Message("system", (Part("text", case.system),)),) if case.system else ()
    messages = (*system, Message("user", (Part("text", case.request),)))
    tools = {tool.name: tool for tool in registry.tools()}
    return GenerationRequest(f"case-{index}", "auto", messages, contract.tools([tools[name] for name in case.functions]))


async def answers(engine: Engine, cases: Sequence[Case], progress: Callable[[str], None]) -> list[Answered]:
    """Greedy guided answers with log-probabilities, a few at a time."""
    limit, done = asyncio.Semaphore(AT_ONCE), 0

    async def one(index: int, case: Case) -> Answered:
        nonlocal done
        async with limit:
            found = await answer(engine, asked(case, index), case)
        done += 1
        if done % 500 == 0:
            progress(f"{engine.name}: {done} of {len(cases)}")
        return found

    return list(await asyncio.gather(*(one(index, case) for index, case in enumerate(cases))))


async def answer(engine: Engine, request: GenerationRequest, case: Case) -> Answered:
    """One guided answer; an engine's failure is a wrong one."""
    call = EngineCall(request.id, request.messages, request.contract, request.sampling, Evidence.LOGPROBS)
    running = Running(Tier(engine.name, engine.name), "try", engine, call, clock=lambda: 0.0)
    await running.drain()
    generation = running.generation
    return Answered(case, request, generation.choices[0] if generation else None)


def labelled(small: Iterable[Answered], large: Iterable[Answered]) -> list[Labelled]:
    """Examples for a calibration: the small tier's drafts with both tiers' labels; drafts that a hard gate refuses never reach it."""
    measures = {kind: scores.build({"kind": kind}, kind) for kind in scores.kinds()}
    pairs = [(one, other) for one, other in zip(small, large, strict=True) if one.choice and not violations(one)]
    return [example(draft(one), label(one, other), measures) for one, other in pairs]


def draft(answered: Answered) -> Draft:
    """The answer as verifiers see it."""
    return Draft(replace(answered.request, id=""), "small", answered.choice or Choice("", "stop"))


def label(small: Answered, large: Answered) -> Label:
    """Both labels; equal texts are one question."""
    return Label(float(small.right), float(large.right), key=small.case.request.casefold())


def violations(answered: Answered) -> bool:
    """Whether the contract or the registry refuses the answer."""
    choice = answered.choice or Choice("", "stop")
    if contract.check(answered.request.contract, choice):
        return True
    calls = contract.answer(answered.request.contract, choice).tool_calls
    return any(registry.validate(call.name, json.loads(call.arguments)) for call in calls)
