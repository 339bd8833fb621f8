"""One call from prompt to last chunk: the loop that every generated token passes through, free of threads and clocks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from router.errors import EngineRejected
from router.types import Chunk, EngineCall, Evidence, FinishReason, Usage
from server.engines.embedded.evidence import LEAST, Drawn, measured
from server.engines.embedded.grammar import Grammars, Guide, Mask
from server.engines.embedded.model import Context, Logits, Model, Past
from server.engines.embedded.sampling import Sampler
from server.engines.embedded.stops import Stops
from server.engines.embedded.tokens import TextStream, Vocabulary

BATCH = 16
"""Tokens in a chunk when nobody waits for each: evidence is cheaper by the dozen, and a cancelled call still knows what it spent."""

_MESSAGE = '{"message":'
"""How the contract's form of a message begins."""


@dataclass(frozen=True, slots=True)
class Brain:
    """A loaded model: session, tokenizer, compiled grammars; shared by all calls."""

    model: Model
    vocabulary: Vocabulary
    grammars: Grammars
    context: int


@dataclass(slots=True)
class Job:
    """What a call asks for, worked out once."""

    brain: Brain
    call: EngineCall
    prompt: list[int]
    cancelled: Callable[[], bool]
    spent: int = 0

    @property
    def top(self) -> int:
        """Alternatives to record at every token; 0 where nobody asked for log-probabilities."""
        wanted = self.call.sampling.logprobs or Evidence.LOGPROBS in self.call.evidence
        return max(LEAST, self.call.sampling.top_logprobs) if wanted else 0

    @property
    def limit(self) -> int:
        """Tokens that one choice may have: the client's limit within what the context leaves."""
        room = self.brain.context - len(self.prompt)
        asked = self.call.sampling.max_tokens
        return room if asked is None else min(room, asked)

    def chunks(self) -> Iterator[Chunk]:
        """All choices one after the other; the last chunk carries the usage. Ends early, without one, once the call is cancelled."""
        if len(self.prompt) >= self.brain.context:
            raise EngineRejected(f"the prompt has {len(self.prompt)} tokens; the context of this model is {self.brain.context}")
        count = max(1, self.call.sampling.n)
        ids, past = self._shared(count)
        for index in range(count):
            chunk: Chunk | None = None
            for chunk in Choosing(self, index, Context(self.brain.model, ids, past)).chunks(last=index == count - 1):
                yield chunk
            if chunk is None or chunk.finish_reason is None:
                return

    def _shared(self, count: int) -> tuple[list[int], Past]:
        """What is left to read of the prompt, and the past before it: several choices read the prompt once."""
        if count == 1 or len(self.prompt) == 1:
            return self.prompt, self.brain.model.empty
        return self.prompt[-1:], self.brain.model.run(self.prompt[:-1], self.brain.model.empty)[1]


class Choosing:
    """The generation of one choice."""

    def __init__(self, job: Job, index: int, context: Context) -> None:
        self._job, self._index, self._context = job, index, context
        self._guide: Guide | None = job.brain.grammars.guide(job.call.contract)
        self._sampler = Sampler(job.call.sampling, job.brain.vocabulary.size, index)
        self._plain, self._top = job.brain.vocabulary.plain, job.top
        self._text, self._stops = TextStream(), Stops(job.call.sampling.stop)
        self._size = 1 if job.call.live else BATCH
        self._left = job.limit
        self._either = job.call.contract.form is not None

    def chunks(self, *, last: bool) -> Iterator[Chunk]:
        """The choice's chunks; the final one has the finish reason, and the usage of the whole call where this is its last choice."""
        ready: list[Drawn] = []
        finish: FinishReason | None = None if self._left > 0 else "length"
        while finish is None:
            if self._job.cancelled():
                return
            step = self._step()
            finish = self._take(step, ready)
            if finish is None and len(ready) >= self._size:
                yield self._chunk(ready)
                ready = []
        usage = Usage(len(self._job.prompt), self._job.spent) if last else None
        yield self._chunk(ready, finish, usage)

    def _take(self, step: list[Drawn], ready: list[Drawn]) -> FinishReason | None:
        """Move what was drawn towards the client; says whether the choice ends here, and why."""
        for drawn in step:
            ready += self._stops.feed(drawn)
            if self._stops.hit:
                return "stop"
        ended = not step or (self._guide is not None and self._guide.done)
        if ended or self._left <= 0:
            ready += self._stops.rest()
            return "stop" if ended else "length"
        return None

    def _step(self) -> list[Drawn]:
        """The next token, or all that the grammar forces; empty at the end token."""
        if self._guide is None:
            return self._drawn(self._plain)
        if self._guide.done:
            return []
        if self._either:
            self._either = False
            return self._arm(self._guide.allowed())
        if forced := self._guide.forced():
            return self._forced(forced[: self._left])
        allowed = self._guide.allowed()
        only = np.flatnonzero(allowed) if np.count_nonzero(allowed) == 1 else None
        return self._drawn(allowed) if only is None else self._forced([int(only[0])])

    def _arm(self, allowed: Mask) -> list[Drawn]:
        """The first token, where a message must be JSON.

        A single token may begin a message of words, as the models learnt it; the mask does not admit it, and without it they would hardly
        ever choose this arm, so that it stands for the arm's own beginning.
        """
        words = self._job.brain.vocabulary.beginning(f'{_MESSAGE}"')
        logits = self._context.logits()
        adjusted = self._sampler.adjust(logits)
        token = self._sampler.draw(adjusted, allowed | words)
        if not words[token]:
            return self._pushed(token, logits, adjusted, allowed)
        first, *rest = self._job.brain.vocabulary.encode(_MESSAGE)
        self._context.push([first])
        self._advance([first])
        begun = self._certain(first, logits if self._top else None)
        return [begun, *(self._forced(rest[: self._left]) if self._left else ())]

    def _drawn(self, allowed: Mask) -> list[Drawn]:
        logits = self._context.logits()
        adjusted = self._sampler.adjust(logits)
        return self._pushed(self._sampler.draw(adjusted, allowed), logits, adjusted, allowed)

    def _pushed(self, token: int, logits: Logits, adjusted: Logits, allowed: Mask) -> list[Drawn]:
        if token == self._job.brain.vocabulary.end:
            return []
        self._context.push([token])
        self._advance([token])
        if not self._top:
            return [Drawn(token, self._spell(token))]
        return [Drawn(token, self._spell(token), True, logits, adjusted, allowed if self._guide else None)]

    def _forced(self, ids: list[int]) -> list[Drawn]:
        if ids[0] == self._job.brain.vocabulary.end:
            return []
        rows = self._context.logits_along(ids) if self._top else None
        if rows is None:
            self._context.push(ids)
        self._advance(ids)
        return [self._certain(token, None if rows is None else rows[at]) for at, token in enumerate(ids)]

    def _certain(self, token: int, logits: Logits | None) -> Drawn:
        if logits is None:
            return Drawn(token, self._spell(token), free=False)
        allowed = np.zeros(len(logits), np.bool_)
        allowed[token] = True
        return Drawn(token, self._spell(token), False, logits, None, allowed)

    def _advance(self, ids: list[int]) -> None:
        if self._guide is not None:
            self._guide.accept(ids)
        self._sampler.count(ids)
        self._left -= len(ids)
        self._job.spent += len(ids)

    def _spell(self, token: int) -> str:
        return self._text.feed(self._job.brain.vocabulary.bytes[token])

    def _chunk(self, drawn: list[Drawn], finish: FinishReason | None = None, usage: Usage | None = None) -> Chunk:
        tokens = measured(drawn, self._job.brain.vocabulary.texts, self._top)
        return Chunk(self._index, "".join(each.text for each in drawn), tokens, finish, usage)
