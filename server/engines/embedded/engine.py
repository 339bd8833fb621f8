"""The embedded engine: a bundled model in this very process, on ONNX Runtime with guided decoding."""

import asyncio
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from router.errors import EngineFailure, EngineOverloaded, EngineRejected, EngineTimeout
from router.types import Chunk, Contract, EngineCall
from server.engines.embedded.bridge import Bridge
from server.engines.embedded.bundled import find
from server.engines.embedded.generation import Brain, Job
from server.engines.embedded.grammar import Grammars
from server.engines.embedded.model import Model
from server.engines.embedded.tokens import Vocabulary, sizes
from server.engines.prompt import Form, render


@dataclass(slots=True, eq=False)
class EmbeddedEngine:
    """Runs one bundled model; its fields are its options.

    `path` is a folder, or the name of a model that comes with the package (`small`, `large`). `threads` calls are computed at once, each
    on one core, `queue` more wait in the order they came; beyond that calls are refused with EngineOverloaded. `tools_prompt` says how
    tools are put to the model. Where a request gives no temperature it is 0: the likeliest token. Chunks always carry their tokens, so
    that a caller who stops reading can count them.
    """

    name: str
    path: str | Path
    threads: int = 2
    queue: int = 256
    tools_prompt: Form = "names"
    _brain: Brain = field(init=False, repr=False)
    _pool: ThreadPoolExecutor = field(init=False, repr=False)
    _bridges: set[Bridge] = field(init=False, repr=False, default_factory=set)
    _closed: bool = field(init=False, repr=False, default=False)
    _computed: float = field(init=False, repr=False, default=0.0)
    _counting: Lock = field(init=False, repr=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self._brain = load(find(self.path, f"engines.{self.name}.path"))
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix=f"engine-{self.name}")

    async def stream(self, call: EngineCall) -> AsyncGenerator[Chunk, None]:
        """Generate; raises EngineOverloaded, EngineRejected (context, contract, parameter) or EngineTimeout.

        Closing the iterator stops the work between two tokens.
        """
        bridge = self._admit(call)
        work = self._pool.submit(self._work, call, bridge)
        work.add_done_callback(bridge.finish)
        limit = self._deadline(call, bridge)
        try:
            while (chunk := await bridge.get()) is not None:
                yield chunk
        finally:
            bridge.stop()
            work.cancel()
            self._bridges.discard(bridge)
            if limit is not None:
                limit.cancel()

    @property
    def cpu_seconds(self) -> float:
        """CPU time that all its calls together have taken so far."""
        return self._computed

    @property
    def context(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self._brain.context

    def prompt_tokens(self, call: EngineCall) -> int:
        """Exactly the tokens that the model will read."""
        return len(self._prompt(call))

    def supports(self, contract: Contract) -> bool:
        """Whether answers can be held to the contract while they are written."""
        try:
            self._brain.grammars.guide(contract)
        except EngineRejected:
            return False
        return True

    async def healthy(self) -> bool:
        return not self._closed

    async def close(self) -> None:
        """Stop everything that runs or waits."""
        self._closed = True
        for bridge in tuple(self._bridges):
            bridge.stop(EngineFailure(f"{self.name} was closed"))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _admit(self, call: EngineCall) -> Bridge:
        if self._closed:
            raise EngineFailure(f"{self.name} is closed")
        if call.sampling.extra:
            field_name = call.sampling.extra[0][0]
            raise EngineRejected(f"{self.name} does not know {field_name}", param=field_name)
        if any(part.kind != "text" for message in call.messages for part in message.parts):
            raise EngineRejected(f"{self.name} reads text only", param="messages")
        if len(self._bridges) >= self.threads + self.queue:
            raise EngineOverloaded(f"{self.name} has {len(self._bridges)} calls to do")
        bridge = Bridge()
        self._bridges.add(bridge)
        return bridge

    def _deadline(self, call: EngineCall, bridge: Bridge) -> asyncio.TimerHandle | None:
        if call.seconds is None:
            return None
        late = EngineTimeout(f"{self.name} was not done within {call.seconds:g} s")
        return asyncio.get_running_loop().call_later(call.seconds, bridge.stop, late)

    def _work(self, call: EngineCall, bridge: Bridge) -> None:
        """In a worker thread; its CPU time is counted as the chunks come, so that a long call is not paid for by others."""
        since = time.thread_time()
        try:
            for chunk in Job(self._brain, call, self._prompt(call), bridge.stopped).chunks():
                since = self._count(since)
                bridge.put(chunk)
        finally:
            self._count(since)

    def _count(self, since: float) -> float:
        now = time.thread_time()
        with self._counting:
            self._computed += now - since
        return now

    def _prompt(self, call: EngineCall) -> list[int]:
        return self._brain.vocabulary.prompt(render(call, self.tools_prompt))


def load(folder: Path) -> Brain:
    """Read a model's folder into memory."""
    context, size = sizes(folder)
    vocabulary = Vocabulary(folder, size)
    return Brain(Model(folder), vocabulary, Grammars(vocabulary.guidance), context)
