"""Is it alive, and can it serve."""

import asyncio

from fastapi import APIRouter, Response
from pydantic_core import to_json

from server.api.errors import NOT_READY, READY
from server.api.exchange import Asking
from server.api.parts import Parts

router = APIRouter()


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> Response:
    """The process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses={NOT_READY: {"description": "a route has no healthy engine"}})
async def readyz(asking: Asking) -> Response:
    """Every route has a healthy engine that takes calls; the body says which are up, unless this is where only keys may know."""
    known = asking.parts
    up = await _healthy(known)
    routes = {name: any(up[tier.engine] for tier in cascade.route.tiers) for name, cascade in known.cascades.items()}
    body: dict[str, object] = {"status": "ready" if all(routes.values()) else "not ready"}
    if known.keys is None:
        body |= {"routes": routes, "engines": up} | ({"watch": dict(watch)} if (watch := known.watch()) else {})
    return Response(to_json(body), READY if all(routes.values()) else NOT_READY, media_type="application/json")


async def _healthy(known: Parts) -> dict[str, bool]:
    found = await asyncio.gather(*(engine.healthy() for engine in known.engines.values()))
    return {name: well and known.available(name) for name, well in zip(known.engines, found, strict=True)}
