"""What a server answers, piece by piece, as chunks: one reader for a call, for streams and complete answers alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any

from router.errors import EngineFailure, EngineProtocolError
from router.types import Chunk, Token, Usage
from router.types.records import record
from server.engines.openai.answers import Part, Said
from server.engines.openai.errors import of_body
from server.engines.openai.freedom import Freedom
from server.engines.openai.halves import Halves
from server.engines.openai.logprobs import Reading, within
from server.engines.openai.parsing import parse
from server.engines.openai.tools import Writer
from server.engines.openai.wire import likely_tokens

_NOTHING = Said()


@dataclass(frozen=True, slots=True)
class Read:
    """What events stand for, and the failure that ends them."""

    chunks: list[Chunk]
    failure: EngineFailure | None = None


@record(slots=True)
class Reader:
    """Reads one call's answer of `n` choices; `secret` is cut out of errors.

    `native` says that tool calls come as the server's own, `formed` that what is said in their place must be JSON, `bound` that the answer
    must have a form.
    """

    reading: Reading
    n: int
    native: bool = False
    formed: bool = False
    bound: bool = False
    secret: str | None = field(default=None, repr=False)
    usage: Usage | None = None
    _writers: dict[int, Writer] = field(default_factory=dict)
    _freedoms: dict[int, Freedom] = field(default_factory=dict)
    _finished: set[int] = field(default_factory=set)
    _said: dict[int, bool] = field(default_factory=dict)
    """Of a choice that is bound to a form, whether all that came of it is a refusal."""
    _halves: Halves | None = None

    def read(self, body: str | bytes) -> list[Chunk]:
        """The chunks that one event or one complete body stands for; raises the EngineFailure that it is instead."""
        try:
            answer, tokens = parse(body, self.reading)
        except EngineProtocolError:
            if self.n > 1 or isinstance(body, bytes):
                raise
            self._halves = self._halves or Halves()
            answer, tokens = parse(self._halves.joined(body), self.reading)
        if answer.fault is not None:
            raise of_body(answer.fault, self.secret)
        if answer.choices is None:
            raise EngineProtocolError("the engine's answer has no choices")
        if answer.usage is not None:
            self.usage = answer.usage.usage
        return [*filter(None, map(self._chunk, answer.choices, tokens))]

    def read_all(self, bodies: Sequence[str]) -> Read:
        """The chunks of several events, up to the first that is a failure."""
        found: list[Chunk] = []
        for body in bodies:
            try:
                found += self.read(body)
            except EngineFailure as failure:
                return Read(found, failure)
        return Read(found)

    def end(self) -> Chunk:
        """The last chunk of all, with the usage where the server told it; raises EngineProtocolError where a choice has no end."""
        if len(self._finished) < self.n:
            raise EngineProtocolError("the engine's answer ended before it was finished")
        if self._halves is not None and self._halves.waiting:
            raise EngineProtocolError("the engine's answer is no valid JSON: it ends within a character")
        return Chunk(usage=self.usage)

    def _chunk(self, part: Part[Any], tokens: tuple[Token, ...]) -> Chunk | None:
        index, said = part.index, part.message or part.delta or _NOTHING
        if not 0 <= index < self.n:
            raise EngineProtocolError("the engine answered with a choice that nobody asked for")
        if index in self._finished:
            _refuse_more(said)
            return None
        if (finish := part.finish) is not None:
            self._finished.add(index)
        if (refused := self._refused(index, said)) and finish == "stop":
            finish = "refusal"
        if self.native:
            text = self._text(index, said, refused=refused, last=finish is not None)
        else:
            text, tokens = said.content or said.refusal or "", self._tokens(part, said, tokens)
        thought = said.reasoning_content or said.reasoning or ""
        if not (text or tokens or thought or finish):
            return None
        if finish == "tool_calls" and not self.native:
            raise EngineProtocolError("the engine called functions that it was not offered")
        pieces = 1 if part.message is None or self.usage is not None else likely_tokens(text)
        return Chunk(index, text, tokens, finish, self.usage, thought, pieces)

    def _refused(self, index: int, said: Said) -> bool:
        """Whether the model has only refused so far; in place of the server's own tool calls that is a message, where any will do."""
        if self.bound and (self.formed or not self.native) and (said.content or said.refusal):
            self._said[index] = not said.content and self._said.get(index, True)
        return self._said.get(index, False)

    def _text(self, index: int, said: Said, *, refused: bool, last: bool) -> str:
        """The server's own tool calls in the contract's form."""
        if refused:
            return said.content or said.refusal or ""
        writer = self._writers.setdefault(index, Writer(self.formed))
        text = writer.add(said)
        return text + writer.end() if last else text

    def _tokens(self, part: Part[Any], said: Said, tokens: tuple[Token, ...]) -> tuple[Token, ...]:
        """The answer's own tokens: not those of a thought, nor the stop token."""
        if part.message is not None or (said.content and part.finish_reason):  # a busy server's last chunk holds more than its stop token
            own = within(tokens, said.content or "")
        else:
            own = () if not said.content and (said.reasoning_content or said.reasoning or part.finish_reason) else tokens
        if not (self.reading.constrained and self.reading.mask == "after"):
            return own
        freedom = self._freedoms.get(part.index) or self._freedoms.setdefault(part.index, Freedom(self.reading.json))
        return freedom.feed(own, final=part.finish_reason is not None)


def together(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """What came together of a choice as one chunk: each costs all that follows it as much as a longer one would.

    Thoughts stay apart from what is said, in their order.
    """
    for (index, _), same in groupby(chunks, lambda chunk: (chunk.index, bool(chunk.reasoning))):
        first, *more = same
        if not more:
            yield first
            continue
        run = [first, *more]
        usage = next((chunk.usage for chunk in reversed(run) if chunk.usage is not None), None)
        finish = next((chunk.finish_reason for chunk in reversed(run) if chunk.finish_reason is not None), None)
        tokens = tuple(chain.from_iterable([chunk.tokens for chunk in run]))
        text, thought = "".join([chunk.text for chunk in run]), "".join([chunk.reasoning for chunk in run])
        yield Chunk(index, text, tokens, finish, usage, thought, sum(chunk.pieces for chunk in run if chunk.text or chunk.reasoning))


def _refuse_more(said: Said) -> None:
    """Some servers repeat an empty delta after the finish reason; text there is a fault."""
    if said.content or said.tool_calls:
        raise EngineProtocolError("the engine went on after the end of its answer")
