"""The table of errors is complete, and every row is what OpenAI's clients understand."""

import pytest

import router.errors
from router.errors import ConfigError, SmallfirstError
from server.api.errors import TABLE, detail, documented
from tests.server.harness import running

EVERY = [kind for kind in vars(router.errors).values() if isinstance(kind, type) and issubclass(kind, SmallfirstError)]


@pytest.mark.parametrize("kind", EVERY)
def test_every_class_of_error_is_in_the_table(kind: type[SmallfirstError]) -> None:
    assert kind in TABLE


@pytest.mark.parametrize(
    ("name", "status", "type_", "code"),
    [
        ("InvalidRequest", 400, "invalid_request_error", "invalid_request"),
        ("UnsupportedParameter", 400, "invalid_request_error", "unsupported_parameter"),
        ("ContextTooLong", 400, "invalid_request_error", "context_length_exceeded"),
        ("UnknownModel", 404, "invalid_request_error", "model_not_found"),
        ("InvalidKey", 401, "authentication_error", "invalid_api_key"),
        ("AccessDenied", 403, "permission_error", "permission_denied"),
        ("Overloaded", 429, "rate_limit_error", "overloaded"),
        ("RateLimited", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("BudgetSpent", 429, "rate_limit_error", "insufficient_quota"),
        ("EngineFailure", 502, "api_error", "engine_error"),
        ("EngineProtocolError", 502, "api_error", "engine_error"),
        ("CascadeExhausted", 503, "api_error", "cascade_exhausted"),
        ("StoreUnavailable", 503, "api_error", "store_unavailable"),
        ("PreviousResponseNotFound", 400, "invalid_request_error", "previous_response_not_found"),
        ("MaxTokensTooSmall", 400, "invalid_request_error", "max_tokens_too_small"),
        ("UnsupportedEndpoint", 400, "invalid_request_error", "unsupported_endpoint"),
        ("ResidencyForbidden", 403, "permission_error", "residency_forbidden"),
        ("RequestTooLarge", 413, "invalid_request_error", "request_too_large"),
        ("DeadlineExceeded", 504, "timeout_error", "deadline_exceeded"),
    ],
)
def test_the_table_says_what_is_promised(name: str, status: int, type_: str, code: str) -> None:
    kind = getattr(router.errors, name)
    body = detail(kind("why")).error
    assert (TABLE[kind].status, body.type, body.code) == (status, type_, code)


def test_every_status_is_documented() -> None:
    statuses = {kind.status for error, kind in TABLE.items() if error is not ConfigError} - {499}
    assert statuses | {404, 405, 415} == set(documented())


async def test_the_document_says_how_to_ask_and_what_the_headers_mean() -> None:
    async with running() as world:
        told = (await world.client.get("/openapi.json")).json()
    assert "route/tier" in told["info"]["description"]
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        answers = told["paths"][path]["post"]["responses"]
        assert {str(status) for status in documented()} <= set(answers)
        assert "x-smallfirst-tier" in answers["200"]["headers"]
        assert all(answers[status]["description"] for status in answers)
