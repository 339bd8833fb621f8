"""The shapes of what servers answer, checked while the JSON is parsed: complete answers and the chunks of a stream alike."""

import re
from codecs import BOM_UTF8
from typing import Annotated, Any

import msgspec
from pydantic_core import from_json

from router.errors import EngineProtocolError
from router.types import FinishReason, Usage

FINISHES: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
"""Tokens: a server that claims more than any answer has would spend every budget at once."""
_PLACE = re.compile(r" - at `(\$[^`]*)`$")


class _Shape(msgspec.Struct, frozen=True, gc=False):
    """Fields that are not named are passed over without being made; nothing here can be part of a cycle."""


class Other(_Shape, frozen=True):
    """A token that could have stood at a position: one of the router's candidates, where its number is told."""

    text: str = msgspec.field(name="token")
    logprob: float | None = None


class Position(_Shape, frozen=True):
    """A generated token with its alternatives."""

    token: str
    logprob: float | None = None
    top_logprobs: tuple[Other, ...] | None = None


class Logprobs(_Shape, frozen=True):
    """The log-probabilities of a choice or a delta."""

    content: list[Position] | None = None


class Function(_Shape, frozen=True):
    """The function of a call, or a piece of it."""

    name: str | None = None
    arguments: str | None = None


class Call(_Shape, frozen=True):
    """A tool call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function = Function()


class Said(_Shape, frozen=True):
    """A message or a delta; servers name the reasoning either way."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None

    @property
    def thought(self) -> str:
        return self.reasoning_content or self.reasoning or ""


class Part(_Shape, frozen=True):
    """A choice of a complete answer (`message`) or of a chunk (`delta`)."""

    index: int = 0
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None

    @property
    def said(self) -> Said | None:
        return self.message or self.delta

    @property
    def positions(self) -> list[Position]:
        return (self.logprobs.content if self.logprobs else None) or []

    @property
    def finish(self) -> FinishReason | None:
        """The finish reason in the gateway's words; raises EngineProtocolError on one that stands for an abort or nothing known."""
        if not self.finish_reason:
            return None
        if self.finish_reason not in FINISHES:
            raise EngineProtocolError(f"the engine ended its answer with {self.finish_reason[:40]!r}")
        return FINISHES[self.finish_reason]


class PromptDetails(_Shape, frozen=True):
    """What of the prompt came from a cache."""

    cached_tokens: Count | None = None


class CompletionDetails(_Shape, frozen=True):
    """What of the completion was thought."""

    reasoning_tokens: Count | None = None


class Counted(_Shape, frozen=True):
    """Tokens as the server counted them."""

    prompt_tokens: Count = 0
    completion_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    reasoning_tokens: Count | None = None

    @property
    def usage(self) -> Usage:
        cached = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        thought = self.completion_tokens_details.reasoning_tokens if self.completion_tokens_details else self.reasoning_tokens
        return Usage(self.prompt_tokens, self.completion_tokens or 0, cached or 0, thought or 0)


class Answer(_Shape, frozen=True):
    """A complete answer, a chunk of one, or an error in its place."""

    choices: list[Part] | None = None
    usage: Counted | None = None
    error: Any = None
    kind: Any = msgspec.field(default=None, name="object")
    message: Any = None
    detail: Any = None
    code: Any = None
    type: Any = None

    @property
    def fault(self) -> Any:
        """The error that this body is, `None` where it is an answer."""
        if self.error:
            return self.error
        if self.kind == "error" or (self.choices is None and (self.detail or self.message)):
            return {"message": self.message or self.detail, "code": self.code, "type": self.type}
        return None


_DECODER = msgspec.json.Decoder(Answer)


def parse(body: str | bytes) -> Answer:
    """The answer in this JSON text; raises EngineProtocolError on invalid UTF-8, invalid JSON and wrong shapes."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _patient(body)


def _patient(body: str | bytes) -> Answer:
    """Servers in Python write NaN and Infinity, which are no JSON, others a byte order mark (which RFC 8259, 8.1, lets a reader ignore).

    Whatever else is wrong is told, of the text before its shape.
    """
    try:
        return msgspec.convert(from_json(body.removeprefix(BOM_UTF8) if isinstance(body, bytes) else body), Answer)
    except msgspec.ValidationError as error:
        raise EngineProtocolError(_misshapen(str(error))) from None
    except (ValueError, RecursionError):
        raise EngineProtocolError(_wrong(body)) from None


def _misshapen(message: str) -> str:
    """The place is `choices.0.message` for the library's `$.choices[0].message`."""
    found = _PLACE.search(message)
    place = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", found[1]).removeprefix("$").lstrip(".") if found else "its root"
    return f"the engine's answer has a wrong shape at {place}"


def _wrong(body: str | bytes) -> str:
    if isinstance(body, bytes) and not _is_text(body):
        return "the engine sent invalid UTF-8"
    start = body.lstrip()[:1]
    return "the engine answered with a page, not with JSON" if start in ("<", b"<") else "the engine's answer is no valid JSON"


def _is_text(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
