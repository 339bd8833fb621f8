"""The way of a request for a generation past the framework's routing, which would cost as much as all that the request means."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from router.errors import SmallfirstError
from server.api import errors
from server.api.exchange import Exchange, exchange

Endpoint = Callable[[Exchange], Awaitable[Response]]


def endpoints(routers: Iterable[APIRouter]) -> dict[str, Endpoint]:
    """By path, what answers a POST to it; all these handlers take the exchange and nothing else."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {route.path: route.endpoint for route in routes if route.methods == {"POST"} and not route.dependant.path_params}


class Lane:
    """Hands a POST to one of these paths straight to its handler, errors told as everywhere; all else is the application's."""

    def __init__(self, app: ASGIApp, handlers: Mapping[str, Endpoint]) -> None:
        self._app, self._handlers = app, handlers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer, or pass it on."""
        handler = self._handlers.get(scope["path"]) if scope.get("method") == "POST" else None
        return self._app(scope, receive, send) if handler is None else _answer(handler, scope, receive, send)


async def _answer(handler: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        response = await handler(exchange(scope, receive))
    except SmallfirstError as error:
        response = errors.response(error)
    except HTTPException as error:
        response = errors.http_response(error, Request(scope))
    await response(scope, receive, send)
