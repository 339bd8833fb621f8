"""A committed answer as the chunks of OpenAI's two completion endpoints."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from router.errors import SmallfirstError
from router.events import Finished
from router.types import Chunk, Generation, Outcome
from server.api import errors
from server.api.render import Json, Stamp, encoded, usage
from server.api.sse import DONE, event

_TAIL = b"}\n\n"


class Deltas(Protocol):
    """Makes the `choices` of the chunks of one stream."""

    def replay(self, generation: Generation) -> Iterator[list[Json]]: ...

    def open(self) -> Iterator[list[Json]]: ...

    def live(self, chunk: Chunk) -> Iterator[list[Json]]: ...

    def ends(self) -> Iterator[list[Json]]: ...


@dataclass(slots=True)
class Chunks:
    """One stream of `kind` objects; `account` makes the `smallfirst` object of the last. What all of them begin with is written once."""

    kind: str
    stamp: Stamp
    deltas: Deltas
    include_usage: bool
    account: Callable[[Outcome], Json]
    _head: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._head = event(self.stamp.object(self.kind, [])).removesuffix(b"[]" + _TAIL)

    def replay(self, generation: Generation) -> Iterator[bytes]:
        """A judged answer."""
        return map(self._event, self.deltas.replay(generation))

    def open(self) -> Iterator[bytes]:
        """The head of a live answer."""
        return map(self._event, self.deltas.open())

    def live(self, chunk: Chunk) -> Iterator[bytes]:
        """A piece as it came."""
        return map(self._event, self.deltas.live(chunk))

    async def end(self, finished: Finished) -> AsyncIterator[bytes]:
        """The last chunks, of which the very last carries the account; or the error, and then no [DONE]."""
        if finished.error is not None or finished.generation is None:
            yield failed(finished.error or SmallfirstError("internal error"))
            return
        last = [self.stamp.object(self.kind, choices) for choices in (*self.deltas.ends(), [])]
        if self.include_usage:
            last[-1]["usage"] = usage(finished.generation.usage)
        else:
            last.pop()
        last[-1]["smallfirst"] = self.account(finished.outcome)
        yield b"".join((*map(event, last), DONE))

    def _event(self, choices: list[Json]) -> bytes:
        return self._head + encoded(choices) + _TAIL


def failed(error: SmallfirstError) -> bytes:
    """A failure as the one event that clients of these endpoints know."""
    return event(errors.detail(error))
