"""What every generating endpoint does: admit, validate, run the cascade, tell the answer whole or as a stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from fastapi import Response

from router.contract import Limits
from router.errors import InvalidRequest, SmallfirstError
from router.events import Committed, Delta, Event, Finished
from router.types import Chunk, Generation, GenerationRequest, Outcome
from router.types.records import record
from server.access.admission import Place
from server.access.presence import leaving, while_present
from server.api import errors
from server.api.conversations import Conversations
from server.api.exchange import Asking, Exchange, read, scoped
from server.api.explain import explanation, headers, named_route, totals
from server.api.naming import RouteFacts, Target
from server.api.parsing import parse
from server.api.parts import Parts
from server.api.render import Json, Stamp, encoded
from server.api.sse import EventStream, first_of, silence
from server.api.whole import Whole
from server.api.wire import Generating

Body = TypeVar("Body", bound=Generating)
_SECONDS = attrgetter("seconds")


@record(frozen=True, slots=True)
class Asked(Generic[Body]):
    """A request with what shapes its answer on the wire; `created` is in seconds since the epoch, `keepalive` in seconds."""

    request: GenerationRequest
    body: Body
    created: int
    explain: bool
    keepalive: float | None
    asking: Exchange

    def stamp(self, tier: str) -> Stamp:
        """The answer's identity; its model pins the tier that gave it."""
        return Stamp(self.request.id, self.created, tier, f"{self.request.route}/{tier}")

    def account(self, outcome: Outcome) -> Json:
        """The `smallfirst` object, as long as the client wants it; administrators are told what the rejected drafts were."""
        key = self.asking.key
        return explanation(outcome, drafts=key is not None and key.admin) if self.explain else totals(outcome)


class Telling(Protocol):
    """Tells one committed answer as events; `end` tells the failure where there is no answer."""

    def replay(self, generation: Generation) -> Iterator[bytes]: ...

    def open(self) -> Iterator[bytes]: ...

    def live(self, chunk: Chunk) -> Iterator[bytes]: ...

    def end(self, finished: Finished) -> AsyncIterator[bytes]: ...


def _unchanged(error: SmallfirstError) -> SmallfirstError:
    return error


@dataclass(frozen=True, slots=True)
class Dialect(Generic[Body]):
    """How an endpoint says what all of them do; `prefix` begins the answers' ids, `failed` is the event of a failure before the commit.

    `recall` completes a body by what is stored for its caller, `named` gives an error of the cascade the endpoint's own names of fields,
    `kept` stores what is answered.
    """

    prefix: str
    body: type[Body]
    translate: Callable[[Body, Target, RouteFacts, str, Limits], GenerationRequest]
    whole: Callable[[Asked[Body], Generation, Stamp], Json]
    telling: Callable[[Asked[Body], Stamp], Telling]
    failed: Callable[[SmallfirstError], bytes]
    recall: Callable[[Body, Conversations | None, str], Awaitable[Body]] | None = None
    named: Callable[[SmallfirstError], SmallfirstError] = _unchanged
    kept: Callable[[Asked[Body], Json], Awaitable[Json]] | None = None

    async def __call__(self, asking: Asking) -> Response:
        """The endpoint's whole work."""
        known = asking.parts
        started = known.clock()
        with known.enter(asking.key) as place:
            asked = await _asked(asking, self, place)
            if asked.request.stream:
                return await _stream(asking, asked, self, place)
            finished = await while_present(leaving(asking.scope, asking.receive), known.cascades[asked.request.route].run(asked.request))
            response = await _whole(finished, asked, self)
            known.gauges.overhead(known.clock() - started - sum(map(_SECONDS, finished.outcome.attempts)))
            return response


async def _asked(asking: Exchange, dialect: Dialect[Body], place: Place) -> Asked[Body]:
    """The validated request, in its place among those in flight; refusals are counted here, for no outcome will tell of them."""
    known, key, route = asking.parts, asking.key, ""
    try:
        body = parse(await read(asking, known.limits.bytes), dialect.body)
        target = known.names.resolve(body.model)
        route, facts = target.route, known.names.routes[target.route]
        place.on(route)
        if body.stream_options is not None and not body.stream:
            raise InvalidRequest("stream_options needs stream: true", param="stream_options")
        if dialect.recall is not None:
            body = await dialect.recall(body, known.conversations, place.key)
        made = dialect.translate(body, target, facts, dialect.prefix + known.new_id(), known.limits.schema)
        asked = made if key is None else scoped(made, key, facts.targets)
        _bounded(asked, known)
    except SmallfirstError as refusal:
        known.gauges.refused(route, refusal.code, place.key)
        raise
    explain = asking.headers.get(b"x-smallfirst-explain") == b"1"
    return Asked(asked, body, int(known.wall()), explain, facts.keepalive_after, asking)


def _bounded(asked: GenerationRequest, known: Parts) -> None:
    if asked.sampling.n > known.limits.choices:
        raise InvalidRequest(f"n is limited to {known.limits.choices}", param="n")
    if len(asked.messages) > known.limits.messages:
        raise InvalidRequest(f"more than {known.limits.messages} messages", param="messages")


async def _whole(finished: Finished, asked: Asked[Body], dialect: Dialect[Body]) -> Response:
    outcome, generation, kept = finished.outcome, finished.generation, finished.outcome.kept
    if generation is None or kept is None:
        return _failed(finished, dialect)
    body = dialect.whole(asked, generation, asked.stamp(kept.tier))
    if dialect.kept is not None:
        body = await dialect.kept(asked, body)
    if asked.explain:
        body["smallfirst"] = asked.account(outcome)
    return Whole(encoded(body), headers(outcome, kept.tier))


def _failed(finished: Finished, dialect: Dialect[Body]) -> Response:
    """The error as HTTP; a cascade that ends with neither an answer nor an error has a bug."""
    error = dialect.named(finished.error or SmallfirstError("internal error"))
    response = errors.response(error)
    response.raw_headers += headers(finished.outcome, None)
    return response


async def _stream(asking: Exchange, asked: Asked[Body], dialect: Dialect[Body], place: Place) -> Response:
    """Nothing is sent before the first event is known, so that a failure is still an ordinary HTTP error.

    Where the route has keep-alives, what takes longer is a stream at once, and a failure one of its events.
    """
    known = asking.parts
    events = known.cascades[asked.request.route].stream(asked.request)
    first = await first_of(events, leaving(asking.scope, asking.receive), asked.keepalive)
    if isinstance(first, Committed):
        told = headers(first.so_far, first.tier)
        return EventStream(_events(first, events, asked, dialect), place.handed_on(), told, known.stall)
    if isinstance(first, asyncio.Task):
        told = [named_route(asked.request.route)]
        return EventStream(_kept_alive(first, events, asked, dialect), place.handed_on(), told, known.stall)
    await events.aclose()
    return _failed(first, dialect) if isinstance(first, Finished) else errors.internal()


async def _kept_alive(
    pending: asyncio.Task[Event], events: AsyncGenerator[Event, None], asked: Asked[Body], dialect: Dialect[Body]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events), aclosing(silence(pending, asked.keepalive or 0.0)) as comments:
        async for comment in comments:
            yield comment
        first = pending.result()
        if isinstance(first, Committed):
            async with aclosing(_events(first, events, asked, dialect)) as told:
                async for block in told:
                    yield block
        elif isinstance(first, Finished):
            yield dialect.failed(dialect.named(first.error or SmallfirstError("internal error")))


async def _events(
    first: Committed, events: AsyncGenerator[Event, None], asked: Asked[Body], dialect: Dialect[Body]
) -> AsyncGenerator[bytes, None]:
    telling = dialect.telling(asked, asked.stamp(first.tier))
    async with aclosing(events):
        yield b"".join(telling.replay(first.generation) if first.generation else telling.open())
        async for later in events:
            if isinstance(later, Delta):
                for block in telling.live(later.chunk):
                    yield block
            elif isinstance(later, Finished):
                async for block in telling.end(later):
                    yield block
