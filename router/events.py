"""What a request looks like from outside as it runs: a commit, pieces of text, an end."""

from router.errors import SmallfirstError
from router.types import Chunk, Generation, Outcome
from router.types.records import record


@record(frozen=True, slots=True)
class Committed:
    """From here the client sees it; `generation` is whole when the draft was judged first, `None` when deltas follow live."""

    tier: str
    so_far: Outcome
    generation: Generation | None = None


@record(frozen=True, slots=True)
class Delta:
    """A live piece of the committed answer."""

    chunk: Chunk


@record(frozen=True, slots=True)
class Finished:
    """The end of every request: with the answer, or with the error that the client gets."""

    outcome: Outcome
    generation: Generation | None = None
    error: SmallfirstError | None = None


Event = Committed | Delta | Finished
