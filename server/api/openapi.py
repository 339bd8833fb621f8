"""The server's own OpenAPI document: what bodies it takes, and every status it may answer with."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.api.responding import ResponsesRequest
from server.api.wire import ChatRequest, CompletionRequest, EmbeddingRequest

_BODIES = (ChatRequest, CompletionRequest, ResponsesRequest, EmbeddingRequest)
_REFERENCE = "#/components/schemas/{model}"


def document(app: FastAPI, models: Sequence[str]) -> dict[str, Any]:
    """The document, made once; `models` is what `model` may say."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, routes=app.routes)
        _, bodies = models_json_schema([(model, "validation") for model in _BODIES], ref_template=_REFERENCE)
        for model in _BODIES:
            bodies["$defs"][model.__name__]["properties"]["model"]["enum"] = list(models)
        made["components"]["schemas"] |= bodies["$defs"]
        app.openapi_schema = made
    return app.openapi_schema


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The request body of a handler that reads it by itself, and the two ways in which it answers."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    answers = {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "the answer, whole or as a stream", "content": answers}},
    }


NAMED_MODEL = {"parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]}
"""The path of one model, which may hold a slash."""


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


_RESPONSE = {"name": "response_id", "in": "path", "required": True, "schema": {"type": "string"}}
NAMED_RESPONSE: dict[str, Any] = {"parameters": [_RESPONSE]}
"""The path of one stored response."""

LISTED_ITEMS: dict[str, Any] = {
    "parameters": [
        _RESPONSE,
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        _query("order", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
        _query("after", {"type": "string"}),
    ]
}
"""The page of one stored response's input."""
