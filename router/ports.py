"""What the pure core asks of the world: engines that generate, verifiers that judge, scores that measure doubt."""

from collections.abc import AsyncGenerator
from typing import ClassVar, Protocol

from router.types import Chunk, Contract, Draft, EngineCall, Evidence, Verdict


class Engine(Protocol):
    """Runs one model. `prompt_tokens` is exact where the engine can count, a fair estimate elsewhere.

    `stream` raises only `EngineFailure`s, and stops all work, upstream too, as soon as its iterator is closed. The chunks of each
    choice end with one that carries a finish reason; usage comes once, in the last chunk of all. Under a `tools` contract the text is
    the compiled JSON form (`{"tool_calls": [...]}` or `{"message": ...}`), whatever the engine's own protocol calls it.
    """

    name: str

    def stream(self, call: EngineCall) -> AsyncGenerator[Chunk, None]: ...

    def prompt_tokens(self, call: EngineCall) -> int: ...

    def supports(self, contract: Contract) -> bool: ...

    async def healthy(self) -> bool: ...

    async def close(self) -> None: ...


class Verifier(Protocol):
    """Judges one draft; a failure of its own is a verdict (`UNABLE`), never an exception."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence: ...

    async def judge(self, draft: Draft) -> Verdict: ...


class Score(Protocol):
    """Raw uncertainty of a draft: higher is less sure; `None` where the evidence it needs is not there."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence: ...

    def measure(self, draft: Draft) -> float | None: ...
