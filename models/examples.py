"""What an example is, and how prompts and answers are written."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from models.grammar import ARGUMENTS, Value
from models.requests import REFUSAL, Draft
from models.systems import SYSTEMS


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the answer it should get; ``functions`` are the names offered."""

    messages: tuple[Message, ...]
    functions: tuple[str, ...]
    answer: str
    kind: str
    hard: bool


def offered(draft: Draft, rng: Random) -> tuple[str, ...]:
    """The functions a request offers: all that it needs, none that it must miss, in any order."""
    needed = {name for name, _ in draft.calls}
    others = [name for name in ARGUMENTS if name not in needed and name not in draft.missing]
    count = len(others) if rng.random() < 0.35 else rng.randint(0 if needed else 1, len(others))
    chosen = [*needed, *rng.sample(others, count)]
    chosen.sort()
    rng.shuffle(chosen)
    return tuple(chosen)


def system(functions: tuple[str, ...], rng: Random) -> Message:
    """The system message that names the functions offered."""
    before = f"{rng.choice(SYSTEMS)}\n" if rng.random() < 0.2 else ""
    return Message("system", before + " ".join(functions))


def dumps(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def answer(calls: list[tuple[str, dict[str, Value]]]) -> str:
    """The calls as the assistant writes them, arguments in their declared order; the refusal where there is none."""
    if not calls:
        return dumps({"message": REFUSAL})
    return dumps({"tool_calls": [{"name": n, "arguments": {k: a[k] for k in ARGUMENTS[n] if k in a}} for n, a in calls]})
