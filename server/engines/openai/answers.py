"""The shapes of what servers answer, checked while the JSON is parsed: complete answers and the chunks of a stream alike."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec

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
Numbers = TypeVar("Numbers")
"""The log-probabilities of a choice, or where they stand that were taken out of the JSON before."""


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


class Part(_Shape, Generic[Numbers], frozen=True):
    """A choice of a complete answer (`message`) or of a chunk (`delta`)."""

    index: int = 0
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None
    logprobs: Numbers | None = None

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


class Answer(_Shape, Generic[Numbers], frozen=True):
    """A complete answer, a chunk of one, or an error in its place."""

    choices: list[Part[Numbers]] | None = None
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
