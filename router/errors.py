"""Every failure the gateway can name, as one tree.

SmallfirstError                     code, retryable
├── InvalidRequest                  invalid_request (param)
│   ├── UnsupportedParameter        unsupported_parameter (param)
│   ├── ContextTooLong              context_length_exceeded
│   ├── MaxTokensTooSmall           max_tokens_too_small
│   ├── UnsupportedEndpoint         unsupported_endpoint
│   ├── PreviousResponseNotFound    previous_response_not_found (param)
│   ├── RequestTooLarge             request_too_large
│   ├── HeadersTooLarge             headers_too_large
│   └── RequestTooSlow              request_timeout
├── UnknownModel                    model_not_found
├── AccessDenied
│   ├── InvalidKey                  invalid_api_key
│   └── ResidencyForbidden          residency_forbidden
├── Overloaded                      overloaded (retry_after)
│   ├── RateLimited                 rate_limit_exceeded (retry_after)
│   └── BudgetSpent                 insufficient_quota (retry_after)
├── EngineFailure                   engine_error
│   ├── EngineTimeout               timeout
│   ├── EngineOverloaded            overloaded
│   ├── EngineProtocolError         engine_error (an answer that is not what the protocol promises)
│   └── EngineRejected              engine_error (the engine refused the request as such)
├── CascadeExhausted                cascade_exhausted
├── StoreUnavailable                store_unavailable
├── DeadlineExceeded                deadline_exceeded
├── ClientGone                      cancelled
└── ConfigError                     config_error (start-up only, never an HTTP answer)

`code` is the API's error code, the metric label and the log field at once. Status codes are the business of server/api/errors alone.
"""

from typing import ClassVar, Self


class SmallfirstError(Exception):
    """A failure with a name: whatever is not one of these is a bug."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(SmallfirstError):
    """The client asked for something that makes no sense; `param` names the field."""

    code = "invalid_request"


class UnsupportedParameter(InvalidRequest):
    """A field or an option that this gateway or the route's engines do not know."""

    code = "unsupported_parameter"


class ContextTooLong(InvalidRequest):
    """The conversation fits the context of no tier."""

    code = "context_length_exceeded"


class MaxTokensTooSmall(InvalidRequest):
    """No tier finished an answer of the required form within `max_tokens`."""

    code = "max_tokens_too_small"


class UnsupportedEndpoint(InvalidRequest):
    """No tier of the route serves this endpoint."""

    code = "unsupported_endpoint"


class PreviousResponseNotFound(InvalidRequest):
    """The request goes on from a response that is not stored: never was, too old, deleted, or another caller's."""

    code = "previous_response_not_found"


class RequestTooLarge(InvalidRequest):
    """The body is longer than the configured limit."""

    code = "request_too_large"


class HeadersTooLarge(InvalidRequest):
    """The request's line and headers are longer than the configured limit."""

    code = "headers_too_large"


class RequestTooSlow(InvalidRequest):
    """The request did not arrive within the configured time."""

    code = "request_timeout"
    retryable = True


class UnknownModel(SmallfirstError):
    """`model` is neither a route, an alias nor route/tier."""

    code = "model_not_found"


class AccessDenied(SmallfirstError):
    """The caller may not do this."""

    code = "permission_denied"


class InvalidKey(AccessDenied):
    """A key is missing or wrong."""

    code = "invalid_api_key"


class ResidencyForbidden(AccessDenied):
    """Every tier that could answer lies where the data may not go."""

    code = "residency_forbidden"


class Overloaded(SmallfirstError):
    """Too much is in flight; `retry_after` is in seconds."""

    code = "overloaded"
    retryable = True

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Overloaded):
    """A key asks more often than it may."""

    code = "rate_limit_exceeded"


class BudgetSpent(Overloaded):
    """A key has used up what it may spend in this period; trying again before its end is of no use."""

    code = "insufficient_quota"
    retryable = False


class EngineFailure(SmallfirstError):
    """An engine did not give a usable generation; on a tier that is not the last this is a deferral.

    `retry_after` is in seconds, where the engine said when to come again. `worked` says whether the engine may have worked on the call
    although nothing came of it; one that refused it, or was never reached, took nothing.
    """

    code = "engine_error"
    retryable = True
    worked: ClassVar[bool] = False
    retry_after: float | None = None

    def kept(self) -> Self:
        """Itself without where it and its causes were raised: those frames would hold the attempt, that holds the error."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class EngineTimeout(EngineFailure):
    """The engine was too slow to connect, to start or to finish."""

    code = "timeout"
    worked = True


class EngineOverloaded(EngineFailure):
    """The engine itself said that it has too much to do."""

    code = "overloaded"


class EngineProtocolError(EngineFailure):
    """The engine's answer is not what its protocol promises (cut off, HTML, invalid UTF-8, an error body under 200)."""

    worked = True


class EngineRejected(EngineFailure):
    """The engine refused the request as such; trying the same again would not help."""

    retryable = False


class CascadeExhausted(SmallfirstError):
    """No permitted tier gave an answer that may be kept."""

    code = "cascade_exhausted"
    retryable = True


class StoreUnavailable(SmallfirstError):
    """The store of responses cannot be reached."""

    code = "store_unavailable"
    retryable = True


class DeadlineExceeded(SmallfirstError):
    """The request's deadline passed before an answer could be kept."""

    code = "deadline_exceeded"
    retryable = True


class ClientGone(SmallfirstError):
    """The client closed the connection; seen in logs and metrics only."""

    code = "cancelled"


class ConfigError(SmallfirstError):
    """The configuration cannot be served as written; `param` names the key."""

    code = "config_error"
