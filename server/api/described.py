"""What `/v1/responses` answers, as JSON Schema: the official type of a response is ten times as long, for tools that are not here."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def _object(*optional: str, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": [name for name in properties if name not in optional]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_ITEM_STATUS: Schema = {"enum": ["in_progress", "completed", "incomplete"]}
_LOGPROB = _object(token=TEXT, logprob={"type": "number"}, bytes=_list({"type": "integer", "minimum": 0, "maximum": 255}))
_TEXT_PART = _object(
    type={"const": "output_text"},
    text=TEXT,
    annotations=_list({"type": "object"}),
    logprobs=_list({**_LOGPROB, "properties": {**_LOGPROB["properties"], "top_logprobs": _list(_LOGPROB)}}),
)
_MESSAGE = _object(id=TEXT, type={"const": "message"}, role={"const": "assistant"}, status=_ITEM_STATUS, content=_list(_TEXT_PART))
_THOUGHT = _object(
    id=TEXT,
    type={"const": "reasoning"},
    summary={"type": "array", "maxItems": 0},
    content=_list(_object(type={"const": "reasoning_text"}, text=TEXT)),
    status=_ITEM_STATUS,
)
_CALL = _object(id=TEXT, type={"const": "function_call"}, call_id=TEXT, name=TEXT, arguments=TEXT, status=_ITEM_STATUS)
_USAGE = _object(
    input_tokens=COUNT,
    input_tokens_details=_object(cached_tokens=COUNT),
    output_tokens=COUNT,
    output_tokens_details=_object(reasoning_tokens=COUNT),
    total_tokens=COUNT,
)
_TOOL = _object(
    "description",
    type={"const": "function"},
    name=TEXT,
    description=TEXT,
    parameters=_or_null({"type": "object"}),
    strict=_or_null({"type": "boolean"}),
)
RESPONSE = _object(
    "smallfirst",
    id={"type": "string", "pattern": "^resp_"},
    object={"const": "response"},
    created_at={"type": "integer"},
    status={"enum": ["completed", "incomplete"]},
    background={"const": False},
    error={"type": "null"},
    incomplete_details=_or_null(_object(reason={"enum": ["max_output_tokens", "content_filter"]})),
    instructions=_or_null(TEXT),
    max_output_tokens=_or_null(COUNT),
    max_tool_calls={"type": "null"},
    metadata={"type": "object", "additionalProperties": TEXT},
    model=TEXT,
    output=_list({"anyOf": [_MESSAGE, _CALL, _THOUGHT]}),
    parallel_tool_calls={"type": "boolean"},
    previous_response_id=_or_null(TEXT),
    reasoning=_object(effort=_or_null(TEXT), summary=_or_null({"const": "auto"})),
    service_tier={"const": "default"},
    store={"type": "boolean"},
    temperature=_or_null({"type": "number"}),
    text=_object("verbosity", format=_object(type={"enum": ["text", "json_object", "json_schema"]}), verbosity=TEXT),
    tool_choice={"anyOf": [{"enum": ["none", "auto", "required"]}, _object(type={"enum": ["function", "allowed_tools"]})]},
    tools=_list(_TOOL),
    top_logprobs=COUNT,
    top_p=_or_null({"type": "number"}),
    truncation={"const": "disabled"},
    usage=_USAGE,
    user=_or_null(TEXT),
    smallfirst={"type": "object"},
)
"""A response, as it is told and as it is stored."""
FORGOTTEN = _object(id=TEXT, object={"const": "response"}, deleted={"const": True})
"""That a stored response is no more."""
ITEMS = _object(
    object={"const": "list"},
    data=_list(_object(id=TEXT, type=TEXT)),
    first_id=_or_null(TEXT),
    last_id=_or_null(TEXT),
    has_more={"type": "boolean"},
)
"""A page of what a stored response was asked."""
