"""The application: routes, one shape of error for everything, a request id on every answer, a life from start to drained."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from router.errors import SmallfirstError
from server import tracing
from server.api import chat, completions, dashboard, embeddings, errors, health, metrics, models, openapi, outcomes, responses, stored
from server.api.door import Door
from server.api.exchange import HEADERS, accepted_id
from server.api.origins import Origins
from server.api.parts import Parts
from server.lane import Lane, endpoints

ID_HEADER = b"x-request-id"
UNTOLD: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""The framework's own telemetry: spans and metrics are our observers', and it would ask the environment for its providers every time."""


def create_app(
    parts: Parts, on_close: Callable[[], Awaitable[None]], on_start: Callable[[], None] = lambda: None, *, apart: bool = False
) -> FastAPI:
    """An ASGI application over these parts; `on_close` runs after the last request, when the server stops.

    What is for operators is left out where it is served `apart`, by `internal`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001  # the signature is the framework's
        on_start()
        yield
        await on_close()
        for engine in parts.engines.values():
            await engine.close()

    app = Application(
        parts,
        title="Smallfirst",
        version=_version(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_named,
    )
    app.openapi = lambda: openapi.document(app, parts.names.listed())  # type: ignore[method-assign]  # the framework's own way to replace it
    for module in (chat, completions, responses, stored, embeddings, models, health):
        app.include_router(module.router)
    app.include_router(outcomes.routes(parts.take))
    if not apart:
        _operate(app, parts)
    quick = endpoints(module.router for module in (chat, completions, responses, embeddings))
    app.within = _guarded(Lane(app.build_middleware_stack(), quick), parts)
    return app


def _named(route: APIRoute) -> str:
    """Operations are called as their handlers are."""
    return route.name


def internal(parts: Parts) -> FastAPI:
    """What is for operators, for an address of its own that asks for no key."""
    app = Application(replace(parts, keys=None), title="Smallfirst, for operators", openapi_url=None)
    app.include_router(health.router)
    _operate(app, parts)
    app.within = app.build_middleware_stack()
    return app


def _guarded(app: ASGIApp, parts: Parts) -> ASGIApp:
    """From the inside outwards: keys, or where there are none the origins of pages; then what allowed pages' browsers ask beforehand."""

    def refused(code: str, client: str) -> None:
        parts.gauges.refused("", code, "")
        parts.turned_away(code, client)

    door = None if parts.keys is None else Door(app, parts.keys, parts.wall, refused)
    app = door or Origins(app, parts.origins, parts.private, refused)
    if parts.origins:
        shown, methods = ["retry-after", "x-should-retry", *openapi.TOLD], ["GET", "POST", "DELETE"]
        app = CORSMiddleware(app, parts.origins, methods, ["*"], expose_headers=shown)
    return app


def _operate(app: FastAPI, parts: Parts) -> None:
    app.include_router(metrics.router)
    if parts.page is not None:
        app.include_router(dashboard.routes(parts.page, parts.watch))


class Application(FastAPI):
    """The framework's over these parts, with one shape for all errors and without telemetry of its own.

    `within` is put around the framework's own layers, not among them. Every answer bears the client's own request id, or a new one; the
    answer to a bug, which is raised on to be logged, does too.
    """

    def __init__(self, parts: Parts, **given: Any) -> None:
        super().__init__(redirect_slashes=False, telemetry=UNTOLD, **given)
        self.parts = parts
        self.within: ASGIApp = super().__call__
        self.exception_handler(SmallfirstError)(_refused)
        self.exception_handler(HTTPException)(_not_served)
        self.exception_handler(Exception)(_bug)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set the id and the headers by name before the work, and put the id on the response."""
        scope["app"] = self
        if scope["type"] != "http":
            await self.within(scope, receive, send)
            return
        headers = dict(reversed(scope["headers"]))  # of several of one name the first counts
        given = headers.get(ID_HEADER)
        request_id = (given and accepted_id(given.decode("latin-1"))) or self.parts.new_id()
        tracing.enter(request_id, headers)
        scope.setdefault("state", {})[HEADERS] = headers
        begun = False

        def named(message: Message) -> Awaitable[None]:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], (ID_HEADER, request_id.encode())]
            return send(message)

        try:
            await self.within(scope, receive, named)
        except Exception:
            if not begun:
                await errors.internal()(scope, receive, named)
            raise


async def _refused(_request: Request, error: SmallfirstError) -> Response:
    return errors.response(error)


async def _not_served(request: Request, error: HTTPException) -> Response:
    return errors.http_response(error, request)


async def _bug(_request: Request, _error: Exception) -> Response:
    """The framework raises the error again after this answer, so that it is logged with its traceback."""
    return errors.internal()


def _version() -> str:
    try:
        return version("smallfirst")
    except PackageNotFoundError:
        return "0"
