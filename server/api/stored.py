"""`/v1/responses/{id}`: stored responses read again, with what was put in, and deleted."""

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from router.errors import InvalidRequest, UnknownModel, UnsupportedParameter
from server.api import errors
from server.api.conversations import PREFIX, Json, Stored
from server.api.exchange import Asking, Exchange
from server.api.openapi import FORGET_RESPONSE, LISTED_ITEMS, READ_RESPONSE

router = APIRouter()
MOST, USUAL = 100, 20


@router.get("/v1/responses/{response_id}", responses=errors.documented(), openapi_extra=READ_RESPONSE)
async def retrieve(request: Request, asking: Asking) -> Response:
    """The response as it was told; a finished stream is not told again."""
    if request.query_params.get("stream", "false").lower() not in ("false", "0", ""):
        raise UnsupportedParameter("stream: a stored response is read whole", param="stream")
    return _json((await _found(request, asking)).response)


@router.delete("/v1/responses/{response_id}", responses=errors.documented(), openapi_extra=FORGET_RESPONSE)
async def delete(request: Request, asking: Asking) -> Response:
    """Forget it; conversations that went on from it keep what they took."""
    response_id = request.path_params["response_id"]
    known = asking.parts.conversations
    if known is None or not await known.drop(response_id, asking.owner):
        raise _missing(response_id)
    return _json({"id": response_id, "object": "response", "deleted": True})


@router.get("/v1/responses/{response_id}/input_items", responses=errors.documented(), openapi_extra=LISTED_ITEMS)
async def input_items(request: Request, asking: Asking) -> Response:
    """What this response was asked, without what it went on from."""
    found, given = await _found(request, asking), request.query_params
    items = _identified(found)
    ordered = items if _order(given.get("order", "desc")) == "asc" else items[::-1]
    after = given.get("after")
    start = next((index + 1 for index, item in enumerate(ordered) if item["id"] == after), 0) if after else 0
    limit = _limit(given.get("limit", str(USUAL)))
    return _json(_page(ordered[start : start + limit], more=len(ordered) > start + limit))


async def _found(request: Request, asking: Exchange) -> Stored:
    response_id = request.path_params["response_id"]
    known = asking.parts.conversations
    found = None if known is None else await known.find(response_id, asking.owner)
    if found is None:
        raise _missing(response_id)
    return found


def _missing(response_id: str) -> HTTPException:
    return HTTPException(errors.TABLE[UnknownModel].status, f"no response {response_id!r} is stored")


def _identified(found: Stored) -> list[Json]:
    """Items that came without an id get one by their place."""
    bare = found.id.removeprefix(PREFIX)
    return [{"id": f"item_{bare}_{index}", **item} for index, item in enumerate(map(_parted, found.input[found.earlier :]))]


def _parted(item: Json) -> Json:
    """A message's plain text as its one part, as OpenAI lists it."""
    content = item.get("content")
    if item.get("type") != "message" or not isinstance(content, str):
        return item
    kind = "output_text" if item.get("role") == "assistant" else "input_text"
    more: Json = {"annotations": []} if kind == "output_text" else {}
    return {**item, "status": "completed", "content": [{"type": kind, "text": content, **more}]}


def _page(items: Sequence[Json], *, more: bool) -> Json:
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": more}


def _order(given: str) -> Literal["asc", "desc"]:
    if given not in ("asc", "desc"):
        raise InvalidRequest("order: 'asc' or 'desc'", param="order")
    return "asc" if given == "asc" else "desc"


def _limit(given: str) -> int:
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= MOST:
        raise InvalidRequest(f"limit: a number from 1 to {MOST}", param="limit")
    return int(given)


def _json(body: object) -> Response:
    return Response(to_json(body), media_type="application/json")
