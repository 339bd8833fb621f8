"""One short question to an engine: the whole answer, or its failure, as a value with what it cost."""

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field, with_config

from router.calibration.words import STOP
from router.errors import EngineFailure, EngineTimeout
from router.ports import Engine
from router.types import Choice, Draft, Energy, EngineCall, FinishReason, Price, Tab, Usage

_WORD = re.compile(r"[^\W_]+(?:[.,@'-][^\W_]+)*")
_LONGEST = 200
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Rate:
    """An option: dollars per million tokens, `cached` for those of the prompt that the engine had in its cache."""

    prompt: Dollars
    completion: Dollars
    cached: Dollars | None = None

    def of(self, usage: Usage) -> float:
        """Dollars for the usage."""
        return Price(self.prompt, self.completion, cached=self.cached).of(usage)


@dataclass(frozen=True, slots=True)
class Said:
    """What an engine answered, or why it did not; the tokens count either way."""

    choice: Choice | None
    usage: Usage
    failure: EngineFailure | None = None
    energy: Energy | None = None


@dataclass(slots=True)
class _Heard:
    """What has come so far."""

    text: str = ""
    count: int = 0
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: EngineFailure | None = None

    def spent(self, engine: Engine, call: EngineCall) -> Usage:
        """As an attempt counts it: the prompt was sent, and what came was generated; a call that was refused took nothing."""
        if self.failure is not None and not self.failure.worked and not self.text:
            return self.usage or Usage()
        return self.usage or Usage(engine.prompt_tokens(call), self.count)


async def ask(engine: Engine, call: EngineCall, rate: Rate, tab: Tab) -> Said:
    """The engine's only choice; never raises an engine's failure. `call.seconds` bounds the whole of it.

    What it took is put on the tab at this rate, also when nobody waits for the answer any more.
    """
    heard = _Heard()
    try:
        return await _heard(engine, call, heard)
    finally:
        usage = heard.spent(engine, call)
        tab.add(rate.of(usage), usage, call.receipt.energy)


async def _heard(engine: Engine, call: EngineCall, heard: _Heard) -> Said:
    try:
        async with asyncio.timeout(call.seconds):
            await _listen(engine, call, heard)
    except TimeoutError:
        return _failed(engine, call, heard, EngineTimeout("the engine was too slow"))
    except EngineFailure as failure:
        return _failed(engine, call, heard, failure)
    return Said(Choice(heard.text, heard.finish_reason or "length"), heard.spent(engine, call), energy=call.receipt.energy)


async def _listen(engine: Engine, call: EngineCall, heard: _Heard) -> None:
    async with aclosing(engine.stream(call)) as chunks:
        async for chunk in chunks:
            heard.text += chunk.text
            heard.count += len(chunk.tokens) or (chunk.pieces if chunk.text else 0)
            heard.finish_reason = chunk.finish_reason or heard.finish_reason
            heard.usage = chunk.usage or heard.usage


def _failed(engine: Engine, call: EngineCall, heard: _Heard, failure: EngineFailure) -> Said:
    heard.failure = failure.kept()  # as an attempt keeps it
    return Said(None, heard.spent(engine, call), heard.failure, call.receipt.energy)


def discreet(reason: str, draft: Draft) -> str:
    """A judge's own words without the values of a draft that nobody may see: words that only the answer has become an ellipsis."""
    asked = {word.casefold() for message in draft.request.messages for word in _WORD.findall(message.text)}
    values = {word.casefold() for word in _WORD.findall(draft.choice.text)} - asked - _PLAIN
    return masked(reason, lambda word: word.casefold() in values)


def masked(reason: str, secret: Callable[[str], bool]) -> str:
    """At most 200 characters on one line, secret words replaced."""
    text = " ".join(reason.split())[:_LONGEST]
    return _WORD.sub(lambda found: "…" if secret(found.group()) else found.group(), text)


_PLAIN = STOP | {"answer", "argument", "arguments", "call", "calls", "does", "false", "invalid", "message", "missing", "name", "required"}
_PLAIN |= {"request", "tool", "tool_calls", "true", "unknown", "user", "value", "was", "wrong", "correct", "incorrect"}
"""Words that tell nothing of an answer."""
