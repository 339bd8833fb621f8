"""`GET /dashboard`: live decisions of this gateway on one page, without a build step, a foreign asset or a word of content."""

import os
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Protocol

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KEPT = {"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
ASSETS = {"style.css": "text/css", "app.js": "text/javascript"}


class Source(Protocol):
    """What the page shows: records by number, and totals."""

    @property
    def last(self) -> int: ...

    def since(self, seen: int) -> list[dict[str, object]]: ...

    def totals(self) -> dict[str, object]: ...


def routes(source: Source, watch: Callable[[], Mapping[str, str]] = dict, worker: Callable[[], int] = os.getpid) -> APIRouter:
    """The page, its two assets and its data; several workers share the port, so that each tells who it is.

    `watch` says a sentence a route: what is known of its promise.
    """
    router = APIRouter()
    page = files("server.api").joinpath("page")
    read = {name: page.joinpath(name).read_bytes() for name in ("index.html", *ASSETS)}

    @router.get("/dashboard", include_in_schema=False)
    async def dashboard(request: Request) -> Response:  # noqa: ARG001
        return Response(read["index.html"], headers=KEPT | {"content-security-policy": POLICY}, media_type="text/html")

    @router.get("/dashboard/data", include_in_schema=False)
    async def data(request: Request) -> Response:
        seen = _seen(request.query_params.get("seen", "")).get(worker(), 0)
        told = {"worker": worker(), "last": source.last, "totals": source.totals(), "watch": dict(watch()), "records": source.since(seen)}
        # a new connection each time, so that every worker has its turn
        return Response(to_json(told), headers=KEPT | {"connection": "close"}, media_type="application/json")

    for name, media_type in ASSETS.items():
        router.add_api_route(f"/dashboard/{name}", _asset(read[name], media_type), include_in_schema=False)
    return router


def _asset(content: bytes, media_type: str) -> Callable[[], object]:
    async def asset() -> Response:
        return Response(content, headers=KEPT, media_type=media_type)

    return asset


def _seen(text: str) -> Mapping[int, int]:
    """`worker:number` pairs; what is none is left out, so that the page only gets more than it needs."""
    pairs = (pair.partition(":") for pair in text.split(",")[:64])
    return {int(worker): int(number) for worker, _, number in pairs if worker.isdecimal() and number.isdecimal() and len(number) < 16}
