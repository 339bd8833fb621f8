"""What every generating endpoint does: admit, validate, run the cascade, tell the answer whole or as a stream."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from fastapi import Request, Response
from pydantic_core import to_json

from router.cascade import Cascade, Committed, Delta, Event, Finished
from router.contract import Limits
from router.errors import InvalidRequest, SmallfirstError
from router.types import Chunk, Generation, GenerationRequest, Outcome
from server.access.presence import while_present
from server.api import errors
from server.api.exchange import read
from server.api.explain import explanation, headers, totals
from server.api.naming import RouteFacts, Target
from server.api.parsing import parse
from server.api.parts import Parts, parts
from server.api.render import Json, Stamp, usage
from server.api.sse import DONE, EventStream, event
from server.api.wire import Common

Body = TypeVar("Body", bound=Common)


class Deltas(Protocol):
    """Makes the `choices` of the chunks of one stream."""

    def replay(self, generation: Generation) -> Iterator[list[Json]]: ...

    def open(self) -> Iterator[list[Json]]: ...

    def live(self, chunk: Chunk) -> Iterator[list[Json]]: ...

    def ends(self) -> Iterator[list[Json]]: ...


@dataclass(frozen=True, slots=True)
class Dialect(Generic[Body]):
    """How an endpoint says what all of them do; `prefix` begins the answers' ids, `chunk` names the objects of a stream."""

    prefix: str
    chunk: str
    body: type[Body]
    translate: Callable[[Body, Target, RouteFacts, str, Limits], GenerationRequest]
    whole: Callable[[GenerationRequest, Generation, Stamp], Json]
    deltas: Callable[[GenerationRequest], Deltas]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with what shapes its answer on the wire; `created` is in seconds since the epoch."""

    request: GenerationRequest
    created: int
    explain: bool
    include_usage: bool

    def stamp(self, tier: str) -> Stamp:
        """The answer's identity; its model pins the tier that gave it."""
        return Stamp(self.request.id, self.created, f"{self.request.route}/{tier}")

    def account(self, outcome: Outcome) -> Json:
        """The `smallfirst` object, as long as the client wants it."""
        return explanation(outcome) if self.explain else totals(outcome)


async def answer(request: Request, dialect: Dialect[Body]) -> Response:
    """The endpoint's whole work."""
    known = parts(request)
    started = known.clock()
    with ExitStack() as held:
        asked = await _asked(request, known, dialect, held)
        held.enter_context(known.gauges.inflight(asked.request.route))
        cascade = known.cascades[asked.request.route]
        if asked.request.stream:
            return await _stream(request, cascade, asked, dialect, held)
        finished = await while_present(request.receive, cascade.run(asked.request))
        response = _whole(finished, asked, dialect)
        known.gauges.overhead(known.clock() - started - _engine_seconds(finished.outcome))
        return response


async def _asked(request: Request, known: Parts, dialect: Dialect[Body], held: ExitStack) -> Asked:
    """The validated request, in its place among those in flight; refusals are counted here, for no outcome will tell of them."""
    route = ""
    try:
        held.enter_context(known.admission.slot())
        body = parse(await read(request, known.limits.bytes), dialect.body)
        target = known.names.resolve(body.model)
        route = target.route
        _within(body, known)
        asked = dialect.translate(body, target, known.names.routes[route], dialect.prefix + known.new_id(), known.limits.schema)
        _bounded(asked, known)
    except SmallfirstError as refusal:
        known.gauges.refused(route, refusal.code)
        raise
    usage_too = body.stream_options is not None and bool(body.stream_options.include_usage)
    return Asked(asked, int(known.wall()), request.headers.get("x-smallfirst-explain") == "1", usage_too)


def _within(body: Common, known: Parts) -> None:
    if body.stream_options is not None and not body.stream:
        raise InvalidRequest("stream_options needs stream: true", param="stream_options")
    if (body.n or 1) > known.limits.choices:
        raise InvalidRequest(f"n is limited to {known.limits.choices}", param="n")


def _bounded(asked: GenerationRequest, known: Parts) -> None:
    if len(asked.messages) > known.limits.messages:
        raise InvalidRequest(f"more than {known.limits.messages} messages", param="messages")


def _whole(finished: Finished, asked: Asked, dialect: Dialect[Body]) -> Response:
    outcome, generation = finished.outcome, finished.generation
    if generation is None or outcome.kept is None:
        return _failed(finished)
    body = dialect.whole(asked.request, generation, asked.stamp(outcome.kept.tier))
    if asked.explain:
        body["smallfirst"] = explanation(outcome)
    return Response(to_json(body), headers=headers(outcome, outcome.kept.tier), media_type="application/json")


def _failed(finished: Finished) -> Response:
    """The error as HTTP; a cascade that ends with neither an answer nor an error has a bug."""
    error = finished.error or SmallfirstError("internal error")
    return errors.response(error, headers(finished.outcome, None))


async def _stream(request: Request, cascade: Cascade, asked: Asked, dialect: Dialect[Body], held: ExitStack) -> Response:
    """Nothing is sent before the first event is known, so that a failure is still an ordinary HTTP error."""
    events = cascade.stream(asked.request)
    first = await while_present(request.receive, anext(events))
    if isinstance(first, Committed):
        return EventStream(_events(first, events, asked, dialect), held.pop_all(), headers(first.so_far, first.tier))
    await events.aclose()
    return _failed(first) if isinstance(first, Finished) else errors.internal()


async def _events(
    first: Committed, events: AsyncGenerator[Event, None], asked: Asked, dialect: Dialect[Body]
) -> AsyncGenerator[bytes, None]:
    stamp, deltas = asked.stamp(first.tier), dialect.deltas(asked.request)
    async with aclosing(events):
        opening = deltas.replay(first.generation) if first.generation else deltas.open()
        yield b"".join(event(stamp.object(dialect.chunk, choices)) for choices in opening)
        async for later in events:
            if isinstance(later, Delta):
                for choices in deltas.live(later.chunk):
                    yield event(stamp.object(dialect.chunk, choices))
            elif isinstance(later, Finished):
                yield _ending(later, asked, [stamp.object(dialect.chunk, choices) for choices in (*deltas.ends(), [])])


def _ending(finished: Finished, asked: Asked, last: list[Json]) -> bytes:
    """The last chunks, of which the very last carries the account; or the error, and then no [DONE]. `last` ends with an empty chunk."""
    if finished.error is not None or finished.generation is None:
        return event(errors.detail(finished.error or SmallfirstError("internal error")))
    if asked.include_usage:
        last[-1]["usage"] = usage(finished.generation.usage)
    else:
        last.pop()
    last[-1]["smallfirst"] = asked.account(finished.outcome)
    return b"".join(map(event, last)) + DONE


def _engine_seconds(outcome: Outcome) -> float:
    return sum(attempt.seconds for attempt in outcome.attempts)
