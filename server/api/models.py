"""`GET /v1/models`: what `model` may say."""

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from router.errors import UnknownModel
from server.access.keys import Key
from server.api import errors
from server.api.exchange import Asking, Exchange
from server.api.naming import Names, Target
from server.api.openapi import LISTED_MODELS, NAMED_MODEL

router = APIRouter()


@router.get("/v1/models", responses=errors.documented(), openapi_extra=LISTED_MODELS)
async def models(asking: Asking) -> Response:
    """Routes, aliases and every `route/tier`."""
    listed = [_model(name) for name in _listed(asking)]
    return Response(to_json({"object": "list", "data": listed}), media_type="application/json")


@router.get("/v1/models/{model:path}", responses=errors.documented(), openapi_extra=NAMED_MODEL)
async def model(request: Request, asking: Asking) -> Response:
    """One of them."""
    name = request.path_params["model"]
    if name not in _listed(asking):
        raise UnknownModel(f"the model {name!r} does not exist", param="model")
    return Response(to_json(_model(name)), media_type="application/json")


def _listed(asking: Exchange) -> list[str]:
    """What the caller's key may ask."""
    names, key = asking.parts.names, asking.key
    return [name for name in names.listed() if key is None or _permitted(names, names.resolve(name), key)]


def _permitted(names: Names, target: Target, key: Key) -> bool:
    tiers = names.routes[target.route].tiers if target.pinned is None else (target.pinned,)
    return key.permits(target.route) and (key.tiers is None or not key.tiers.isdisjoint(tiers))


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "smallfirst"}
