"""One engine call as it runs: it collects the chunks and ends as an attempt, whatever happened."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import field
from operator import attrgetter
from typing import Literal, Self

from router.early import Early, Watch
from router.errors import EngineFailure, EngineProtocolError
from router.ports import Engine
from router.types import (
    Attempt,
    Choice,
    Chunk,
    EngineCall,
    Failure,
    FinishReason,
    Generation,
    Reason,
    Tier,
    Token,
    Usage,
    Verdict,
)
from router.types.records import record
from router.verification import Verification

_REASONS: dict[str, Reason] = {"timeout": "timeout", "context_length_exceeded": "context"}
"""Why a draft that failed with this code was not kept; any other is an error of the engine."""


@record(slots=True)
class _Pieces:
    """What has come of one choice."""

    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    chunks: int = 0

    def add(self, chunk: Chunk) -> None:
        self.texts.append(chunk.text)
        self.reasoning.append(chunk.reasoning)
        self.tokens.extend(chunk.tokens)
        self.chunks += chunk.pieces if chunk.text else 0
        self.finish_reason = chunk.finish_reason or self.finish_reason

    def choice(self) -> Choice:
        return Choice("".join(self.texts), self.finish_reason or "stop", tuple(self.tokens), "".join(self.reasoning))


_finish_reason: Callable[[_Pieces], FinishReason | None] = attrgetter("finish_reason")


@record(slots=True)
class Running:
    """An attempt under way: its engine works while it is entered; `clock` is in seconds, `origin` is when its request arrived."""

    tier: Tier
    kind: Literal["try", "repair"]
    engine: Engine
    call: EngineCall
    clock: Callable[[], float]
    started: float = 0.0
    pieces: dict[int, _Pieces] = field(default_factory=dict)
    usage: Usage | None = None
    error: EngineFailure | None = None
    watches: dict[int, Watch] = field(default_factory=dict)
    origin: float = 0.0
    early: Verification | None = None
    """What was said of the draft before it was whole."""
    verdicts: list[Verdict] = field(default_factory=list)
    """What was said of it since."""
    seconds: float | None = None
    """How long its engine took, once that is known."""
    _chunks: AsyncGenerator[Chunk, None] | None = None

    async def __aenter__(self) -> Self:
        self.started, self._chunks = self.clock(), self.engine.stream(self.call)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the engine."""
        if self._chunks is not None:
            await self._chunks.aclose()

    async def next(self) -> Chunk | None:
        """The engine's next chunk; `None` at the end, which may be a failure: it stays in `error`."""
        try:
            chunk = None if self._chunks is None else await anext(self._chunks, None)
            if chunk is not None:
                self._add(chunk)
            elif not self.finished:
                raise EngineProtocolError("the engine's answer ended before it was finished")
        except EngineFailure as error:
            self.error = error.kept()
            return None
        return chunk

    async def drain(self, early: Early | None = None) -> None:
        """Let the engine run to its end, or until the draft is hopeless."""
        async with self:
            while (chunk := await self.next()) is not None:
                if early is not None and self.give_up(chunk, early):
                    break

    @property
    def finished(self) -> bool:
        """Whether every choice has its end."""
        return len(self.pieces) == self.call.sampling.n and all(map(_finish_reason, self.pieces.values()))

    def give_up(self, chunk: Chunk, early: Early) -> bool:
        """Reject the draft if this choice has become hopeless."""
        watch = self.watches.setdefault(chunk.index, Watch(early, self.call.contract))
        self.early = watch.feed(chunk)
        return self.early is not None

    def beginning(self) -> Choice:
        """What has come of the only choice."""
        return self.pieces[0].choice()

    @property
    def generation(self) -> Generation | None:
        """What was generated, if it is whole."""
        if self.error is not None or (self.early is not None and self.early.deferral is not None):
            return None
        return Generation(tuple([self.pieces[index].choice() for index in sorted(self.pieces)]), self.usage or self._counted())

    def ended(self) -> Generation | None:
        """Note that its engine is done, for what verifiers take is theirs; what was generated, if it is whole."""
        self.seconds = self.clock() - self.started
        return self.generation

    def attempt(
        self, generation: Generation | None = None, *, deferral: Reason | None = None, at_fault: int = 0, cancelled: bool = False
    ) -> Attempt:
        """What is known now: the generation that was judged, if it is whole, else the failure, or neither if it was cancelled."""
        usage = self.usage or self._counted()
        return Attempt(
            tier=self.tier.name,
            kind=self.kind,
            generation=generation,
            failure=self._failure(),
            verdicts=(*(self.early.verdicts if self.early else ()), *self.verdicts),
            deferral=deferral or self._deferral(),
            seconds=self.clock() - self.started if cancelled or self.seconds is None else self.seconds,
            usage=usage,
            cost=self.tier.price.of(usage, self.call.receipt),
            energy=self.call.receipt.energy,
            cancelled=cancelled,
            began=self.started - self.origin,
            at_fault=at_fault,
        )

    def _add(self, chunk: Chunk) -> None:
        self.pieces.setdefault(chunk.index, _Pieces()).add(chunk)
        self.usage = chunk.usage or self.usage

    def _counted(self) -> Usage:
        """Tokens of an answer whose engine never told: a piece without token details counts as one, a call that was refused as none."""
        if self.error is not None and not self.error.worked and not self.pieces:
            return Usage()
        completion = sum(max(len(piece.tokens), piece.chunks) for piece in self.pieces.values())
        return Usage(self.engine.prompt_tokens(self.call), completion)

    def _failure(self) -> Failure | None:
        return None if self.error is None else Failure(self.error.code, self.error.message, self.error.retryable, self.error.retry_after)

    def _deferral(self) -> Reason | None:
        if self.error is None:
            return self.early.deferral if self.early else None
        return _REASONS.get(self.error.code, "engine_error")
