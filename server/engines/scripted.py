"""The test double: an engine that answers from a script and remembers what it was asked.

The seam for tests of cascades and servers: no model, no waiting but what the script asks for.

    engine = ScriptedEngine("small", [Reply("no"), Reply(failure=EngineTimeout("slow")), Reply(hang=True)])
    engine = ScriptedEngine("small", lambda call: Reply(call.messages[-1].text.upper()))
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from router.errors import EngineFailure, EngineTimeout
from router.types import Chunk, Contract, EngineCall, FinishReason, Token, Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """What one call gets.

    `chunks` are the pieces of the text in order (default: the whole text as one), `choices` the texts of further choices; `tokens` come
    with the first piece (default: one token a word). `delay` is in seconds before the first chunk, `pause` before every other piece.
    `failure` is raised after the pieces, if there are any; `hang` waits after the pieces until the caller gives up.
    """

    text: str = ""
    chunks: tuple[str, ...] = ()
    finish_reason: FinishReason = "stop"
    tokens: tuple[Token, ...] = ()
    choices: tuple[str, ...] = ()
    usage: Usage | None = None
    reasoning: str = ""
    delay: float = 0.0
    pause: float = 0.0
    failure: EngineFailure | None = None
    hang: bool = False

    @property
    def pieces(self) -> tuple[str, ...]:
        """The text of the first choice as it comes."""
        return self.chunks or ((self.text,) if self.text else ())


Script = Sequence[Reply | str] | Callable[[EngineCall], Reply | str]


def confident(text: str, logprob: float = -0.01) -> tuple[Token, ...]:
    """One free token a word with the same log-probability before and after the mask."""
    words = [word if index == 0 else f" {word}" for index, word in enumerate(text.split(" "))]
    return tuple(Token(word, logprob, raw_logprob=logprob, free=True) for word in words)


@dataclass(slots=True)
class ScriptedEngine:
    """Answers call k with reply k, the last one again when the list is through; a function is asked for every call.

    `calls` holds every call in order, `cancelled` those whose stream was closed before its end, `running` those under way.
    """

    name: str
    script: Script = ()
    supported: frozenset[str] | None = None
    up: bool = True
    calls: list[EngineCall] = field(default_factory=list)
    cancelled: list[EngineCall] = field(default_factory=list)
    running: list[EngineCall] = field(default_factory=list)
    closed: bool = False

    async def stream(self, call: EngineCall) -> AsyncGenerator[Chunk, None]:
        """Play the reply; raises its failure, and EngineTimeout where `call.seconds` is shorter than what the script waits."""
        reply = self._reply(call)
        self.calls.append(call)
        self.running.append(call)
        left, finished = call.seconds, False
        try:
            for wait, chunk in _timeline(reply, call):
                left = await _wait(wait, left)
                if chunk is not None:
                    yield chunk
            if reply.failure is not None:
                raise reply.failure
            finished = True
        except EngineFailure:
            finished = True
            raise
        finally:
            self.running.remove(call)
            if not finished:
                self.cancelled.append(call)

    def prompt_tokens(self, call: EngineCall) -> int:
        """One token a word."""
        return _prompt_words(call)

    def supports(self, contract: Contract) -> bool:
        """Everything, or the kinds in `supported`."""
        return self.supported is None or contract.kind in self.supported

    async def healthy(self) -> bool:
        """What `up` says, until the engine is closed."""
        return self.up and not self.closed

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _reply(self, call: EngineCall) -> Reply:
        if callable(self.script):
            found = self.script(call)
        else:
            found = self.script[min(len(self.calls), len(self.script) - 1)] if self.script else Reply()
        return Reply(found) if isinstance(found, str) else found


Timeline = list[tuple[float, Chunk | None]]
"""Chunks with the seconds to wait before each."""


def _timeline(reply: Reply, call: EngineCall) -> Timeline:
    pieces = [*_pieces(reply)]
    if reply.hang:
        return [*_timed(pieces, reply), (math.inf, None)]
    if reply.failure is not None:
        return _timed(pieces or [None], reply)
    usage = reply.usage or Usage(_prompt_words(call), _drawn(reply))
    ends = [Chunk(index, finish_reason=reply.finish_reason) for index in range(1 + len(reply.choices))]
    ends[-1] = replace(ends[-1], usage=usage)
    further = [Chunk(index, text, _words(text)) for index, text in enumerate(reply.choices, 1)]
    rest = [chunk for pair in zip(further, ends[1:], strict=True) for chunk in pair]
    return [*_timed(pieces or ends[:1], reply), *((0.0, chunk) for chunk in ([ends[0], *rest] if pieces else rest))]


def _timed(chunks: Sequence[Chunk | None], reply: Reply) -> Timeline:
    return [(reply.pause if at else reply.delay, chunk) for at, chunk in enumerate(chunks)]


def _pieces(reply: Reply) -> Iterator[Chunk]:
    for at, piece in enumerate(reply.pieces):
        tokens = (() if at else reply.tokens) if reply.tokens else _words(piece)
        yield Chunk(0, piece, tokens, reasoning="" if at else reply.reasoning)


def _words(text: str) -> tuple[Token, ...]:
    return tuple(Token(token.text) for token in confident(text)) if text else ()


def _drawn(reply: Reply) -> int:
    first = len(reply.tokens) or sum(len(_words(piece)) for piece in reply.pieces)
    return first + sum(len(_words(text)) for text in reply.choices)


def _prompt_words(call: EngineCall) -> int:
    return sum(len(message.text.split()) for message in call.messages)


async def _wait(seconds: float, left: float | None) -> float | None:
    """Wait, and say how much of the time limit is left."""
    if left is not None and seconds >= left:
        await asyncio.sleep(left)
        raise EngineTimeout("the scripted engine was not done in time")
    if seconds == math.inf:
        await asyncio.Event().wait()
    await asyncio.sleep(seconds)
    return None if left is None else left - seconds
