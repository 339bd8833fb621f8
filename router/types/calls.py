"""What engines are asked, and what they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from enum import Flag, auto
from typing import Literal, NamedTuple, Protocol

from router.types.asked import Contract, Message, Sampling
from router.types.metered import Receipt, Usage
from router.types.records import record

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal"]
"""`refusal` is of a model that says, apart from any answer, that it will not give the form that was demanded."""


class Evidence(Flag):
    """What an engine must return for the scores in use."""

    NONE = 0
    LOGPROBS = auto()
    SAMPLES = auto()


@record(frozen=True, slots=True)
class EngineCall:
    """What an engine is asked: `messages` are those of the request, or longer on a repair; `live` wants chunks as they come.

    A `guide` stands first in the prompt, in place of the engine's own words on tools and schemas.
    `seconds` is the time left for the whole call, `None` for the engine's own limit. Whoever meters the engine fills in the `receipt`.
    """

    request_id: str
    messages: tuple[Message, ...]
    contract: Contract = Contract()
    sampling: Sampling = Sampling()
    evidence: Evidence = Evidence.NONE
    live: bool = False
    seconds: float | None = None
    guide: str = ""
    receipt: Receipt = field(default_factory=Receipt, compare=False, repr=False)


@record(frozen=True, slots=True)
class EmbeddingCall:
    """Texts to be embedded; `dimensions` shortens the vectors, `None` leaves them as the model makes them."""

    request_id: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    seconds: float | None = None


@record(frozen=True, slots=True)
class Embeddings:
    """One vector for each text, in order."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage


class Candidate(Protocol):
    """A token that could have stood at a position, with its natural-log probability.

    An answer has hundreds of them, so an engine may give its own records as they were read.
    """

    @property
    def text(self) -> str: ...

    @property
    def logprob(self) -> float: ...


class Alternative(NamedTuple):
    """A candidate that is nothing else; a tuple is made fastest."""

    text: str
    logprob: float


class Token(NamedTuple):
    """One generated token; a tuple for the same reason.

    `logprob` is the natural-log probability under the distribution it was drawn from (after a grammar mask, if any), `raw_logprob`
    before the mask; `free` says whether the grammar admitted more than one token. Each is `None` where the engine does not say.
    `top` are the likeliest tokens before the mask, `masked_top` those that it admitted.
    """

    text: str
    logprob: float | None = None
    raw_logprob: float | None = None
    free: bool | None = None
    top: Sequence[Candidate] = ()
    masked_top: Sequence[Candidate] = ()


@record(frozen=True, slots=True)
class Choice:
    """One finished answer of an engine, in the contract's own form: tool calls stand in `text` as the compiled JSON."""

    text: str
    finish_reason: FinishReason
    tokens: tuple[Token, ...] = ()
    reasoning: str = ""


@record(frozen=True, slots=True)
class Generation:
    """What one attempt of an engine gave: `choices` for the client (n of them), `samples` only for scores."""

    choices: tuple[Choice, ...]
    usage: Usage
    samples: tuple[Choice, ...] = ()


@record(frozen=True, slots=True)
class Chunk:
    """A piece of a running generation; the last one of choice `index` has its finish reason, `usage` is all so far.

    It is what the engine told in so many `pieces`, which count as tokens where no others are known.
    """

    index: int = 0
    text: str = ""
    tokens: tuple[Token, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    reasoning: str = ""
    pieces: int = 1
