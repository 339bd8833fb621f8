"""The one place that knows status codes: every error as OpenAI's clients expect it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from router.errors import (
    AccessDenied,
    BudgetSpent,
    CascadeExhausted,
    ClientGone,
    ConfigError,
    ContextTooLong,
    DeadlineExceeded,
    EngineFailure,
    EngineOverloaded,
    EngineProtocolError,
    EngineRejected,
    EngineTimeout,
    HeadersTooLarge,
    InvalidKey,
    InvalidRequest,
    MaxTokensTooSmall,
    Overloaded,
    PreviousResponseNotFound,
    RateLimited,
    RequestTooLarge,
    RequestTooSlow,
    ResidencyForbidden,
    SmallfirstError,
    StoreUnavailable,
    UnknownModel,
    UnsupportedEndpoint,
    UnsupportedParameter,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a class of errors is told to the client."""

    status: int
    type: str


_INVALID = Kind(400, "invalid_request_error")
_ENGINE = Kind(502, "api_error")
_BUSY = Kind(429, "rate_limit_error")
_AWAY = Kind(503, "api_error")
_BUG = Kind(500, "api_error")

TABLE: Mapping[type[SmallfirstError], Kind] = {
    SmallfirstError: _BUG,
    InvalidRequest: _INVALID,
    UnsupportedParameter: _INVALID,
    ContextTooLong: _INVALID,
    MaxTokensTooSmall: _INVALID,
    UnsupportedEndpoint: _INVALID,
    PreviousResponseNotFound: _INVALID,
    RequestTooLarge: Kind(413, "invalid_request_error"),
    HeadersTooLarge: Kind(431, "invalid_request_error"),
    RequestTooSlow: Kind(408, "invalid_request_error"),
    UnknownModel: Kind(404, "invalid_request_error"),
    AccessDenied: Kind(403, "permission_error"),
    InvalidKey: Kind(401, "authentication_error"),
    ResidencyForbidden: Kind(403, "permission_error"),
    Overloaded: _BUSY,
    RateLimited: _BUSY,
    BudgetSpent: _BUSY,
    EngineFailure: _ENGINE,
    EngineTimeout: Kind(504, "timeout_error"),
    EngineOverloaded: _BUSY,
    EngineProtocolError: _ENGINE,
    EngineRejected: _ENGINE,
    CascadeExhausted: _AWAY,
    StoreUnavailable: _AWAY,
    DeadlineExceeded: Kind(504, "timeout_error"),
    ClientGone: Kind(499, "invalid_request_error"),
    ConfigError: _BUG,
}

HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}
"""Refusals of the HTTP layer itself, which no class of `router.errors` stands for."""

INTERNAL = "internal_error"
MOST = 3600.0
"""Seconds after which a client may be told to come again because an engine said so."""
READY, NOT_READY = 200, 503


class ErrorDetail(BaseModel):
    """What went wrong, for people and for programs."""

    model_config = ConfigDict(frozen=True)
    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(BaseModel):
    """OpenAI's shape of every error."""

    model_config = ConfigDict(frozen=True)
    error: ErrorDetail


def detail(error: SmallfirstError) -> ErrorBody:
    """The body for an error; also what a stream carries when it fails after its first byte."""
    return ErrorBody(error=ErrorDetail(message=error.message, type=TABLE[type(error)].type, param=error.param, code=error.code))


def response(error: SmallfirstError, headers: Mapping[str, str] | None = None) -> Response:
    """The whole HTTP answer for an error."""
    return _json(TABLE[type(error)].status, detail(error), {**(headers or {}), **_also(error)})


def http_response(error: HTTPException, request: Request) -> Response:
    """OpenAI's shape for what the router of paths and methods refuses."""
    code = HTTP_CODES.get(error.status_code, "invalid_request")
    message = f"{error.detail}: {request.method} {request.url.path}" if code in ("not_found", "method_not_allowed") else str(error.detail)
    body = ErrorBody(error=ErrorDetail(message=message, type="invalid_request_error", param=None, code=code))
    return _json(error.status_code, body, error.headers or {})


def internal() -> Response:
    """The answer to a bug: nothing leaks."""
    return _json(_BUG.status, ErrorBody(error=ErrorDetail(message="internal error", type=_BUG.type, param=None, code=INTERNAL)), {})


def unsupported_media_type(message: str) -> HTTPException:
    """The body is not plain JSON by its own account."""
    return HTTPException(415, message)


def documented() -> dict[int | str, dict[str, object]]:
    """Every status a request may get, for the OpenAPI document."""
    statuses = sorted({kind.status for kind in TABLE.values()} | set(HTTP_CODES))
    return {status: {"model": ErrorBody, "description": _described(status)} for status in statuses if status != TABLE[ClientGone].status}


def _described(status: int) -> str:
    codes = {error.code for error, kind in TABLE.items() if kind.status == status and error is not ConfigError}
    return ", ".join(sorted(codes | {code for http, code in HTTP_CODES.items() if http == status}))


def _also(error: SmallfirstError) -> dict[str, str]:
    if isinstance(error, Overloaded):
        wait = {"retry-after": _later(error.retry_after)}
        return wait if error.retryable else wait | {"x-should-retry": "false"}  # OpenAI's clients obey it
    if isinstance(error, RequestTooSlow | HeadersTooLarge):
        return {"connection": "close"}  # what is still to come would be read as the next request, or be waited for
    return {"retry-after": _later(min(error.retry_after or 0.0, MOST))} if isinstance(error, EngineOverloaded) else {}


def _later(seconds: float) -> str:
    return str(max(1, ceil(seconds)))


def _json(status: int, body: ErrorBody, headers: Mapping[str, str]) -> Response:
    return Response(to_json(body), status, dict(headers), "application/json")
