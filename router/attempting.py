"""One engine call as it runs: it collects the chunks and ends as an attempt, whatever happened."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import field
from itertools import chain
from typing import Literal

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
    Usage,
    Verdict,
)
from router.types.records import record
from router.verification import Verification

_REASONS: dict[str, Reason] = {"timeout": "timeout", "context_length_exceeded": "context"}
"""Why a draft that failed with this code was not kept; any other is an error of the engine."""


@record(slots=True)
class Running:
    """An attempt under way: its engine works while it is entered; `clock` is in seconds, `origin` is when its request arrived."""

    tier: Tier
    kind: Literal["try", "repair"]
    engine: Engine
    call: EngineCall
    clock: Callable[[], float]
    started: float = 0.0
    chunks: dict[int, list[Chunk]] = field(default_factory=dict)
    """What has come of each choice."""
    ends: dict[int, FinishReason] = field(default_factory=dict)
    """Of the choices that have come to theirs."""
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
    _stream: AsyncGenerator[Chunk, None] | None = None

    async def aclose(self) -> None:
        """Stop the engine."""
        if self._stream is not None:
            await self._stream.aclose()

    async def next(self) -> Chunk | None:
        """The engine's next chunk; `None` at the end, which may be a failure: it stays in `error`."""
        if self._stream is None:
            self._stream = self.engine.stream(self.call)
        try:
            chunk = await anext(self._stream, None)
            if chunk is None and not self.finished:
                raise EngineProtocolError("the engine's answer ended before it was finished")
        except EngineFailure as error:
            self.error = error.kept()
            return None
        if chunk is not None:
            self.chunks.setdefault(chunk.index, []).append(chunk)
            if chunk.finish_reason is not None:
                self.ends[chunk.index] = chunk.finish_reason
            self.usage = chunk.usage or self.usage
        return chunk

    async def drain(self, early: Early | None = None) -> None:
        """Let the engine run to its end, or until the draft is hopeless."""
        try:
            while (chunk := await self.next()) is not None:
                if early is not None and self.give_up(chunk, early):
                    break
        finally:
            await self.aclose()

    @property
    def finished(self) -> bool:
        """Whether every choice has its end."""
        return len(self.ends) == len(self.chunks) == self.call.sampling.n

    def give_up(self, chunk: Chunk, early: Early) -> bool:
        """Reject the draft if this choice has become hopeless."""
        watch = self.watches.setdefault(chunk.index, Watch(early, self.call.contract))
        self.early = watch.feed(chunk)
        return self.early is not None

    def beginning(self) -> Choice:
        """What has come of the only choice."""
        return self._choice(0)

    @property
    def generation(self) -> Generation | None:
        """What was generated, if it is whole."""
        if self.error is not None or (self.early is not None and self.early.deferral is not None):
            return None
        return Generation(tuple(map(self._choice, sorted(self.chunks))), self.usage or self._counted())

    def ended(self) -> Generation | None:
        """Note that its engine is done, for what verifiers take is theirs; what was generated, if it is whole."""
        self.seconds = self.clock() - self.started
        return self.generation

    def attempt(
        self, generation: Generation | None = None, *, deferral: Reason | None = None, at_fault: int = 0, cancelled: bool = False
    ) -> Attempt:
        """What is known now: the generation that was judged, if it is whole, else the failure, or neither if it was cancelled."""
        usage, error, early = self.usage or self._counted(), self.error, self.early
        if deferral is None and error is not None:
            deferral = _REASONS.get(error.code, "engine_error")
        elif deferral is None and early is not None:
            deferral = early.deferral
        return Attempt(
            tier=self.tier.name,
            kind=self.kind,
            generation=generation,
            failure=None if error is None else Failure(error.code, error.message, error.retryable, error.retry_after),
            verdicts=(*(() if early is None else early.verdicts), *self.verdicts),
            deferral=deferral,
            seconds=self.clock() - self.started if cancelled or self.seconds is None else self.seconds,
            usage=usage,
            cost=self.tier.price.of(usage, self.call.receipt),
            energy=self.call.receipt.energy,
            cancelled=cancelled,
            began=self.started - self.origin,
            at_fault=at_fault,
        )

    def _choice(self, index: int) -> Choice:
        chunks, finish_reason = self.chunks[index], self.ends.get(index, "stop")
        if len(chunks) == 1:
            return Choice(chunks[0].text, finish_reason, chunks[0].tokens, chunks[0].reasoning)
        tokens = tuple(chain.from_iterable([chunk.tokens for chunk in chunks]))
        return Choice("".join([chunk.text for chunk in chunks]), finish_reason, tokens, "".join([chunk.reasoning for chunk in chunks]))

    def _counted(self) -> Usage:
        """Tokens of an answer whose engine never told: a piece without token details counts as one, a call that was refused as none."""
        if self.error is not None and not self.error.worked and not self.chunks:
            return Usage()
        return Usage(self.engine.prompt_tokens(self.call), sum(map(_told, self.chunks.values())))


def _told(chunks: list[Chunk]) -> int:
    """Tokens of a choice: those that were told, or the pieces that it came in where they are more."""
    return max(sum([len(chunk.tokens) for chunk in chunks]), sum([chunk.pieces for chunk in chunks if chunk.text]))
