"""The server's own OpenAPI document: what bodies it takes, and every status it may answer with."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.api.described import FORGOTTEN, ITEMS, RESPONSE
from server.api.responding import ResponsesRequest
from server.api.wire import ChatRequest, CompletionRequest, EmbeddingRequest

_BODIES = (ChatRequest, CompletionRequest, ResponsesRequest, EmbeddingRequest)
_REFERENCE = "#/components/schemas/{model}"
_OFFICIAL = "openai.{model}"
"""The official client's own types, which describe the answers, stand under names apart from the bodies'."""
_ABOUT = """OpenAI's API, answered by a small model where its answer can be proven, and by a larger one where not.

`model` is a route, an alias, or `route/tier` to pin a tier. Bodies are checked strictly: a field that is not listed here is refused with
`unsupported_parameter`, and a field whose only type is null is known and refused unless it is null. Errors have OpenAI's shape; each status
lists its codes. With the request header `x-smallfirst-explain: 1` an answer gains an object `smallfirst` with every attempt and verdict.
"""
TOLD = {
    "x-request-id": "the client's own id, or a new one",
    "x-smallfirst-route": "the route that served the request",
    "x-smallfirst-tier": "the tier whose answer this is",
    "x-smallfirst-attempts": "how many generations were tried",
    "x-smallfirst-deferrals": "why tiers were passed over or drafts not kept, comma-separated",
    "x-smallfirst-confidence": "P(correct) by the calibration; absent where nothing measured it",
    "x-smallfirst-cost-usd": "dollars of all attempts and verifiers, of a stream those before its commit",
}
"""What the headers of an answer say."""


def document(app: FastAPI, models: Sequence[str]) -> dict[str, Any]:
    """The document, made once; `models` is what `model` may say."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
        _, bodies = models_json_schema([(model, "validation") for model in _BODIES], ref_template=_REFERENCE)
        for model in _BODIES:
            bodies["$defs"][model.__name__]["properties"]["model"]["enum"] = list(models)
        made["components"]["schemas"] |= bodies["$defs"] | _answers()
        app.openapi_schema = made
    return app.openapi_schema


def _answers() -> dict[str, Any]:
    from openai.types import Completion, CreateEmbeddingResponse, Model  # late: the client's types are not needed to serve
    from openai.types.chat import ChatCompletion

    template = _REFERENCE.format(model=_OFFICIAL)
    official = (ChatCompletion, Completion, CreateEmbeddingResponse, Model)
    _, found = models_json_schema([(model, "validation") for model in official], ref_template=template)
    return {_OFFICIAL.format(model=name): schema for name, schema in found["$defs"].items()}


def _official(name: str) -> dict[str, Any]:
    return {"$ref": _REFERENCE.format(model=_OFFICIAL.format(model=name))}


def _told(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"200": {"description": description, "content": {"application/json": {"schema": schema}}}}


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The request body of a handler that reads it by itself, and the ways in which it answers."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    headers = {name: {"description": told, "schema": {"type": "string"}} for name, told in TOLD.items()}
    streams = "stream" in model.model_fields
    answers = {"application/json": {"schema": _ANSWERS[model.__name__]}, **({"text/event-stream": {}} if streams else {})}
    described = "the answer, whole or as a stream" if streams else "the answer"
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": described, "headers": headers, "content": answers, "links": _LINKS[model.__name__]}},
    }


_ANSWERS = {
    "ChatRequest": _official("ChatCompletion"),
    "CompletionRequest": _official("Completion"),
    "EmbeddingRequest": _official("CreateEmbeddingResponse"),
    "ResponsesRequest": RESPONSE,
}

_ID = "$response.body#/id"
_LABEL: dict[str, Any] = {"label": {"operationId": "outcomes", "requestBody": {"response_id": _ID, "success": True}}}
_STORED = {name: {"operationId": name, "parameters": {"path.response_id": _ID}} for name in ("retrieve", "input_items", "delete")}
_LINKS: dict[str, dict[str, Any]] = {
    "ChatRequest": _LABEL,
    "CompletionRequest": _LABEL,
    "EmbeddingRequest": {},
    "ResponsesRequest": _LABEL | _STORED,
}
"""What can be done with an answer by its id."""

NAMED_MODEL = {
    "parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}],
    "responses": _told(_official("Model"), "the model"),
}
"""The path of one model, which may hold a slash."""

LISTED_MODELS = {
    "responses": _told(
        {
            "type": "object",
            "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _official("Model")}},
            "required": ["object", "data"],
        },
        "all models",
    )
}
"""The list of them."""


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


_RESPONSE = {"name": "response_id", "in": "path", "required": True, "schema": {"type": "string"}}
READ_RESPONSE: dict[str, Any] = {"parameters": [_RESPONSE], "responses": _told(RESPONSE, "the response as it was told")}
"""One stored response, to be read."""

FORGET_RESPONSE: dict[str, Any] = {"parameters": [_RESPONSE], "responses": _told(FORGOTTEN, "it is forgotten")}
"""One stored response, to be forgotten."""

LISTED_ITEMS: dict[str, Any] = {
    "parameters": [
        _RESPONSE,
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        _query("order", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
        _query("after", {"type": "string"}),
    ],
    "responses": _told(ITEMS, "the items in order"),
}
"""The page of one stored response's input."""
