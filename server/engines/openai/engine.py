"""The engine over HTTP: sends a call to one of its replicas, reads the answer as chunks, and names whatever goes wrong."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from router.errors import ConfigError, EngineFailure
from router.types import Chunk, Contract, EmbeddingCall, Embeddings, EngineCall
from server.engines.openai import embedding
from server.engines.openai.client import Client, PooledClient
from server.engines.openai.connection import Interrupted
from server.engines.openai.errors import of_trouble
from server.engines.openai.flavours import FLAVOURS
from server.engines.openai.opening import Opener, Order, health_after, health_after_trouble, now
from server.engines.openai.options import OpenAIOptions
from server.engines.openai.reading import Reader, together
from server.engines.openai.replicas import Replica, Replicas, beginning
from server.engines.openai.retry import Retry, Trouble
from server.engines.openai.sse import Decoder
from server.engines.openai.wire import Dialect, Manner

HEALTH_SECONDS = 5.0
LEFTOVER_SECONDS = 0.25
OK = 200
EVENTS = "text/event-stream"
BUSY: frozenset[Trouble] = frozenset({"connect_timeout", "total_timeout"})
"""What a check may meet at a server that has much to do."""
Trace = Callable[[], Mapping[str, str]]


@dataclass(slots=True)
class OpenAIEngine:
    """Runs one model on servers that speak OpenAI's protocol; made by `create`, closed by `close`."""

    name: str
    options: OpenAIOptions
    client: Client
    replicas: Replicas
    dialect: Dialect
    opener: Opener
    key: str | None = field(default=None, repr=False)
    trace: Trace = dict
    authorization: dict[str, str] = field(init=False, repr=False)
    kinds: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.authorization = {"authorization": f"Bearer {self.key}"} if self.key else {}
        self.kinds = self.dialect.flavour.kinds if self.options.supports is None else self.options.supports | {"none"}

    @classmethod
    def create(
        cls, options: OpenAIOptions, environment: Mapping[str, str], *, starting: bool = False, trace: Trace = dict
    ) -> "OpenAIEngine":
        """The engine with its own client; raises ConfigError where its key is not in the environment or `supports` says too much.

        A server that is `starting` gets no calls until its first good health check; `trace` gives the headers that go on with a
        client's trace.
        """
        key, flavour = _key(options, environment), FLAVOURS[options.flavour]
        if beyond := sorted((options.supports or frozenset()) - flavour.kinds):
            raise ConfigError(f"an engine of flavour {flavour.name} cannot be held to {', '.join(beyond)}", param="supports")
        client = PooledClient(options.timeouts, options.max_connections, options.max_response_bytes)
        replicas = Replicas(tuple(Replica(url, up=not starting) for url in options.base_url), now)
        opener = Opener(client, replicas, Retry(repeats=options.retries), key)
        return cls(options.name, options, client, replicas, Dialect(options, flavour), opener, key, trace)

    @property
    def context(self) -> int | None:
        return self.options.context

    @property
    def trouble(self) -> str:
        """Why it takes no calls, as far as that is known, for the operator's log."""
        found = dict.fromkeys(replica.trouble or "too many calls failed in a row" for replica in self.replicas.members)
        return "; ".join(found)

    async def stream(self, call: EngineCall) -> AsyncGenerator[Chunk, None]:
        """The answer's chunks, the usage in the last; closing closes the connection upstream at once. Raises EngineFailure alone."""
        written = self.dialect.write(call)
        order, reader = self._order(call, written.body, streamed=written.streamed), self._reader(call, written.manner)
        leased = await self.opener.open(order)
        health: bool | None = None
        try:
            if leased.exchange.content_type != EVENTS:  # which a server may give to a request for a stream too
                for chunk in reader.read(await leased.exchange.body()):
                    yield chunk
                reader.end()
            else:
                decoder, done = Decoder(), False
                while not done and (piece := await leased.exchange.more()):
                    events, done = _told(decoder.feed(piece))
                    read = reader.read_all(events)
                    for chunk in together(read.chunks):
                        yield chunk
                    if read.failure is not None:
                        raise read.failure
                yield reader.end()
                health = True
                await leased.exchange.finish(LEFTOVER_SECONDS)
            health = True
        except Interrupted as interrupted:
            health = health_after_trouble(interrupted.trouble, order)
            raise of_trouble(interrupted.trouble) from None
        except EngineFailure as failure:
            health = health_after(failure)
            raise
        finally:
            leased.end(health)

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """One vector for each text, checked; raises EngineFailure alone."""
        asked = embedding.asked(self.options.model, call)
        order = self._order(EngineCall(call.request_id, (), seconds=call.seconds), asked, path="embeddings")
        leased = await self.opener.open(order)
        health: bool | None = None
        try:
            found = embedding.read(await leased.exchange.body(), call, self.key)
            health = True
        except Interrupted as interrupted:
            health = health_after_trouble(interrupted.trouble, order)
            raise of_trouble(interrupted.trouble) from None
        except EngineFailure as failure:
            health = health_after(failure)
            raise
        finally:
            leased.end(health)
        return found

    def prompt_tokens(self, call: EngineCall) -> int:
        """An estimate from the text's length: see `Dialect.prompt_tokens`."""
        return self.dialect.prompt_tokens(call)

    def supports(self, contract: Contract) -> bool:
        """Whether the server can be held to this form while it decodes; native tools are a matter of its own parser."""
        return contract.kind in self.kinds

    async def healthy(self) -> bool:
        """Ask every replica; those that are not well get no calls until they are."""
        found = await asyncio.gather(*(self._check(replica) for replica in self.replicas.members))
        return any(found)

    async def close(self) -> None:
        """Close every connection."""
        await self.client.close()

    def _order(self, call: EngineCall, body: bytes, *, streamed: bool = False, path: str = "chat/completions") -> Order:
        total = self.options.timeouts.total
        seconds = total if call.seconds is None else min(total, call.seconds)
        prefix = beginning(call) if len(self.replicas.members) > 1 else ""
        return Order(body, self._headers(call), prefix, now() + seconds, seconds == total, streamed, path, call.request_id)

    def _reader(self, call: EngineCall, manner: Manner) -> Reader:
        reading, contract, sampling = manner.reading, call.contract, call.sampling
        if not reading.told and sampling.temperature == 0:
            reading = replace(reading, told=True)  # what is the likeliest token is no matter of temperature
        return Reader(reading, sampling.n, manner.native, contract.form is not None, contract.kind != "none", self.key)

    def _headers(self, call: EngineCall) -> dict[str, str]:
        sane = call.request_id
        if not (sane.isascii() and sane.isprintable()):
            sane = "".join(letter for letter in sane if letter.isascii() and letter.isprintable())
        traced = self.trace() if self.dialect.flavour.traced else {}
        return {**traced, **self.authorization, "x-request-id": sane[:128]}

    async def _check(self, replica: Replica) -> bool:
        path = self.dialect.flavour.health
        url = _root(replica.url) + path if path.startswith("/") else f"{replica.url}/{path}"
        try:
            exchange = await self.client.get(url, self.authorization, deadline=now() + HEALTH_SECONDS)
        except Interrupted as interrupted:
            replica.trouble = of_trouble(interrupted.trouble).message
            replica.unheard(busy=interrupted.trouble in BUSY)
        else:
            replica.trouble = "" if exchange.status == OK else f"{path} is answered with status {exchange.status}"
            replica.heard(well=exchange.status == OK)
            exchange.close()
        return replica.up


def _told(events: list[str]) -> tuple[list[str], bool]:
    """The events before the mark that there are no more, and whether that came."""
    for place, data in enumerate(events):
        if data.strip() == "[DONE]":
            return events[:place], True
    return events, False


def _key(options: OpenAIOptions, environment: Mapping[str, str]) -> str | None:
    if options.api_key_env is None:
        return None
    key = environment.get(options.api_key_env, "").strip()
    if not key:
        where = f"engines.{options.name}.api_key_env"
        raise ConfigError(f"{where}: the environment variable {options.api_key_env} is not set", param=where)
    return key


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/v1')}"
