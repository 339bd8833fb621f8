"""`POST /v1/embeddings`: from the first tier of the route whose engine makes vectors."""

import base64
import struct

from fastapi import APIRouter, Response
from pydantic_core import to_json

from router.cascade import Cascade
from router.errors import EngineFailure, ResidencyForbidden, SmallfirstError, UnsupportedEndpoint
from router.types import Attempt, Decision, EmbeddingCall, Embeddings, Failure, GenerationRequest, Message, Outcome, Part, Tab, Tier, Usage
from server.access.presence import leaving, while_present
from server.api import errors
from server.api.exchange import Asking, read, scoped
from server.api.explain import headers
from server.api.openapi import body_of
from server.api.parsing import parse
from server.api.parts import Parts
from server.api.render import Json
from server.api.whole import Whole
from server.api.wire import EmbeddingRequest

router = APIRouter()


@router.post("/v1/embeddings", responses=errors.documented(), openapi_extra=body_of(EmbeddingRequest))
async def embeddings(asking: Asking) -> Response:
    """One vector for each text."""
    known, route, guarding = asking.parts, "", Tab()
    with known.enter(asking.key) as place:
        try:
            body = parse(await read(asking, known.limits.bytes), EmbeddingRequest)
            target = known.names.resolve(body.model)
            route = target.route
            place.on(route)
            inside = known.names.routes[route].inside_only
            made = GenerationRequest(f"emb-{known.new_id()}", route, _messages(body), pinned=target.pinned, inside_only=inside)
            asked = made if asking.key is None else scoped(made, asking.key, known.names.routes[route].targets)
            tier = await _tier(asked, known.cascades[route], known, guarding)
        except SmallfirstError as refusal:
            if guarding.cost or guarding.energies:
                known.gauges.observe(asked, Outcome(asked.id, route, Decision(()), (), None, refusal.code, aside=guarding.settled))
            else:
                known.gauges.refused(route, refusal.code, asking.owner)
            raise
        return await while_present(leaving(asking.scope, asking.receive), _embedded(asked, body, tier, known, guarding))


def _messages(body: EmbeddingRequest) -> tuple[Message, ...]:
    return tuple(Message("user", (Part("text", text),)) for text in body.texts)


async def _tier(asked: GenerationRequest, cascade: Cascade, known: Parts, guarding: Tab) -> Tier:
    """The first tier that has embeddings and that no guard closes to these texts."""
    open_to = [tier for tier in cascade.route.tiers if asked.pinned in (None, tier.name) and tier.engine in known.embedders]
    if not open_to:
        raise UnsupportedEndpoint("no tier of this model makes embeddings", param="model")
    open_to = [tier for tier in open_to if not (asked.inside_only and tier.location == "outside")]
    if not open_to:
        raise ResidencyForbidden("every tier that makes embeddings lies where this request's data may not go")
    for guard in cascade.route.guards:
        closed = (await guard.inspect(asked, [tier.name for tier in open_to], guarding)).closed
        open_to = [tier for tier in open_to if tier.name not in closed]
    if not open_to:
        raise UnsupportedEndpoint("a guard of this route lets no tier embed these texts", param="input")
    return open_to[0]


async def _embedded(asked: GenerationRequest, body: EmbeddingRequest, tier: Tier, known: Parts, guarding: Tab) -> Response:
    """Ask the engine; success, failure and leaving are each one outcome for the metrics."""
    started, code, failure, usage = known.clock(), "cancelled", None, Usage()
    try:
        found = await known.embedders[tier.engine].embed(EmbeddingCall(asked.id, body.texts, body.dimensions))
        code, usage = "ok", found.usage
    except EngineFailure as error:
        code, failure = error.code, Failure(error.code, error.message, error.retryable, error.retry_after)
        raise
    finally:
        cost, seconds = tier.price.of(usage), known.clock() - started
        attempt = Attempt(tier.name, "try", None, failure, seconds=seconds, usage=usage, cost=cost, cancelled=code == "cancelled")
        decision, answer = Decision((tier.name,), why="embeddings"), 0 if code == "ok" else None
        outcome = Outcome(asked.id, asked.route, decision, (attempt,), answer, code, seconds, aside=guarding.settled)
        known.gauges.observe(asked, outcome)
    told = _told(found, body, f"{asked.route}/{tier.name}")
    return Whole(to_json(told), headers(outcome, tier.name))


def _told(found: Embeddings, body: EmbeddingRequest, model: str) -> Json:
    packed = body.encoding_format == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
        for index, vector in enumerate(found.vectors)
    ]
    tokens = found.usage.prompt_tokens
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def _packed(vector: tuple[float, ...]) -> str:
    """Little-endian 32-bit floats, as OpenAI packs them."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
