"""From bytes to a body: whatever is wrong with it is one error that names the field, as `messages[0].content`."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from router.errors import InvalidRequest, UnsupportedParameter
from server.locating import Location, foremost

Body = TypeVar("Body", bound=BaseModel)


def parse(body: bytes, model: type[Body]) -> Body:
    """The body as `model`; raises InvalidRequest or UnsupportedParameter.

    A byte order mark before it is passed over, as RFC 8259, 8.1, allows: files that were written on Windows have one.
    """
    body = body.removeprefix(BOM_UTF8)
    if body.find(b"NaN") >= 0 or body.find(b"Infinity") >= 0:  # which JSON does not know; `in` would try them as numbers first
        _document(body)
    try:
        found: Body = model.__pydantic_validator__.validate_json(body)  # without the words that pydantic wraps around it
    except ValidationError as error:
        raise _refusal(*foremost(error, _document(body))) from error
    except RecursionError as error:
        raise _malformed("recursion limit", body) from error
    return found


def _document(body: bytes) -> dict[str, Any]:
    """The body as plain JSON, where something is wrong with it or may be; raises InvalidRequest where it is none."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise _malformed(str(error), body) from error
    if not isinstance(document, dict):
        raise InvalidRequest("the body must be a JSON object")
    return document


def path(location: Location) -> str:
    """A location as OpenAI writes it: `tools[2].function.name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _malformed(message: str, body: bytes) -> InvalidRequest:
    if "recursion limit" not in message:
        return InvalidRequest(f"the body is not valid JSON: {message}")
    deepest = _deepest(body)
    return InvalidRequest(f"{deepest or 'the body'} is nested too deeply", param=deepest)


def _deepest(body: bytes) -> str | None:
    """The field that nests furthest, if even a patient parser can tell."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return max(document, key=lambda name: _depth(document[name]), default=None) if isinstance(document, dict) else None


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [child for parent in level for child in _children(parent)]:
        depth += 1
    return depth


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refusal(detail: ErrorDetails, location: Location) -> InvalidRequest:
    param = path(location)
    if detail["type"] == "extra_forbidden":
        return UnsupportedParameter(f"unknown parameter: {param}", param=param)
    if detail["type"] == "none_required":
        return UnsupportedParameter(f"{param} is not supported here", param=param)
    if _is_known_elsewhere(detail, location) or _of_base_models(detail, location):
        return UnsupportedParameter(f"{param} is not supported here: {detail['msg']}", param=param)
    return InvalidRequest(f"{param}: {detail['msg'].removeprefix('Value error, ')}" if param else detail["msg"], param=param or None)


def _of_base_models(detail: ErrorDetails, location: Location) -> bool:
    """Whether it is about several prompts, or token ids in place of a text, which OpenAI's older endpoints take."""
    ids = (
        location[:1] in (("prompt",), ("input",))
        and len(location) == 2
        and detail["type"] == "string_type"
        and isinstance(detail["input"], int)
    )
    return ids or (location == ("prompt",) and detail["type"] == "too_long")


_OPTIONS = frozenset(
    {
        "echo",
        "best_of",
        "store",
        "service_tier",
        "modalities",
        "include_obfuscation",
        "background",
        "truncation",
        "include",
        "summary",
        "prompt_cache_retention",
    }
)
_HOSTED = {"apply_patch", "code_interpreter", "computer", "computer_use_preview", "file_search", "image_generation", "local_shell", "mcp"}
_HOSTED |= {"namespace", "shell", "tool_search", "web_search", "web_search_preview"}
_ITEMS = {"compaction", *(f"{tool}_call" for tool in _HOSTED), "custom_tool_call", "custom_tool_call_output"}
_MEDIA = {"audio_url", "input_audio", "input_video", "image_embeds", "image_pil", "video_url"}
_KINDS = frozenset({"custom", "function", "grammar", "python", "structural_tag"} | _HOSTED | _ITEMS | _MEDIA)


def _is_known_elsewhere(detail: ErrorDetails, location: Location) -> bool:
    """Whether OpenAI or vLLM would take this value where this gateway does not."""
    given = detail["input"]
    if isinstance(given, dict):
        given = given.get("type", given.get("role"))
    chosen = detail["type"] in ("literal_error", "union_tag_invalid")
    return chosen and (bool(_OPTIONS & set(location)) or (isinstance(given, str) and given in _KINDS))
