"""What the pure core asks of the world: engines that generate, verifiers that judge, scores that measure doubt."""

from collections.abc import AsyncGenerator, Mapping
from typing import ClassVar, Protocol, runtime_checkable

from router.types import Chunk, Contract, Draft, EmbeddingCall, Embeddings, EngineCall, Evidence, Verdict


class Engine(Protocol):
    """Runs one model. `prompt_tokens` is exact where the engine can count, a fair estimate elsewhere.

    `stream` raises only `EngineFailure`s, and stops all work, upstream too, as soon as its iterator is closed. The chunks of each
    choice end with one that carries a finish reason; usage comes in the last chunk of all, and earlier too, each time the whole so far,
    where the engine counts along. Under a `tools` contract the text is the compiled JSON form (`{"tool_calls": [...]}` or
    `{"message": ...}`), whatever the engine's own protocol calls it.
    """

    name: str

    def stream(self, call: EngineCall) -> AsyncGenerator[Chunk, None]: ...

    def prompt_tokens(self, call: EngineCall) -> int: ...

    def supports(self, contract: Contract) -> bool: ...

    async def healthy(self) -> bool: ...

    async def close(self) -> None: ...


class Embedder(Protocol):
    """An engine whose model makes vectors of texts; raises only `EngineFailure`s."""

    async def embed(self, call: EmbeddingCall) -> Embeddings: ...


class Verifier(Protocol):
    """Judges one draft; a failure of its own is a verdict (`UNABLE`), never an exception."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence: ...

    async def judge(self, draft: Draft) -> Verdict: ...


@runtime_checkable
class Score(Protocol):
    """Raw uncertainty of a draft: higher is less sure; `None` where the evidence it needs is not there."""

    kind: ClassVar[str]

    @property
    def needs(self) -> Evidence: ...

    def measure(self, draft: Draft) -> float | None: ...


class CannotPost(Exception):
    """Nothing came back: no connection, too slow, or longer than may be read."""


class Post(Protocol):
    """Sends one body to a configured address: no redirects, no proxies; `timeout` is in seconds for all of it; raises only CannotPost."""

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, bytes]: ...  # noqa: ASYNC109


class Services(Protocol):
    """What components may ask of the process that they run in; a name that it does not know is a ConfigError."""

    @property
    def post(self) -> Post: ...

    def engine(self, name: str) -> Engine: ...

    def outside(self, engine: str) -> bool:
        """Whether data leaves the building with a call of this engine."""
        ...

    def secret(self, env_name: str) -> str: ...

    def load(self, dotted: str) -> object:
        """The object at `package.module:name`."""
        ...
