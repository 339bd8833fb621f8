"""Where foreign errors become the gateway's own: statuses, error bodies and troubles below them; texts bounded, secrets cut out."""

import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from router.errors import EngineFailure, EngineOverloaded, EngineProtocolError, EngineRejected, EngineTimeout
from server.engines.openai.retry import Trouble

TEXT_LIMIT = 300
_KEYS = re.compile(r"(?i)\b(?:sk|pk|hf|gsk|xai|nvapi|key|token)[-_][\w*.-]{6,}|bearer\s+\S+|basic\s+[\w+/=]{8,}")
_CONTEXT = re.compile(
    r"(?i)context_length_exceeded|exceed_context_size|maximum context length|maximum model length|context (?:length|size|window)"
    r"|longer than the (?:model|maximum)|max_model_len|max_seq_len|max_num_tokens|prompt is too long|too many input tokens"
)


class ContextExceeded(EngineRejected):
    """The engine says that the conversation does not fit its context."""

    code = "context_length_exceeded"


class Unreached(EngineTimeout):
    """Connecting took too long: the engine never saw the call."""

    worked = False


def of_trouble(trouble: Trouble) -> EngineFailure:
    """The failure that a trouble below the level of statuses is."""
    match trouble:
        case "connect":
            return EngineFailure("the engine cannot be reached")
        case "certificate":
            return EngineFailure("the engine's certificate is not trusted")
        case "connect_timeout":
            return Unreached("connecting to the engine took too long")
        case "read_timeout":
            return EngineTimeout("the engine was silent for too long")
        case "total_timeout":
            return EngineTimeout("the engine took too long")
        case "reset":
            return EngineProtocolError("the engine closed the connection before its answer was finished")
        case "too_long":
            return EngineProtocolError("the engine's answer is too long")
        case "compressed":
            return EngineProtocolError("the engine compressed its answer, though it was asked not to")
        case "protocol":
            return EngineProtocolError("the engine's answer is no valid HTTP")


def of_status(status: int, body: bytes, secret: str | None) -> EngineFailure:
    """The failure that an answer with this status is; its body may say that the context is too long."""
    text = _said(body)
    if status in (401, 403):
        return EngineRejected(f"the engine refuses the gateway's credentials (status {status})")
    if status >= 400 and _CONTEXT.search(text) and status not in (429, 503):
        return ContextExceeded("the conversation is too long for the engine's context")
    if 300 <= status < 400:
        return EngineProtocolError(f"the engine answered with a redirect (status {status})")
    return _kind(status)(_sentence(f"the engine answered with status {status}", text, secret))


def of_body(error: object, secret: str | None) -> EngineFailure:
    """The failure that an error body stands for where the status said 200."""
    text = _message(error)
    code = error.get("code") if isinstance(error, Mapping) else None
    if _CONTEXT.search(f"{code} {_type(error)} {text}"):
        return ContextExceeded("the conversation is too long for the engine's context")
    status = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()) else 500
    kind = _kind(status) if 400 <= status < 600 and status not in (401, 403) else EngineProtocolError
    return (kind if kind is not EngineFailure else EngineProtocolError)(_sentence("the engine answered with an error", text, secret))


def _kind(status: int) -> type[EngineFailure]:
    if status in (429, 503):
        return EngineOverloaded
    if status in (408, 504):
        return EngineTimeout
    if 400 <= status < 500:
        return EngineRejected
    return EngineFailure if status >= 500 else EngineProtocolError


def _said(body: bytes) -> str:
    """What an error body says, whichever of the servers' forms it has; nothing of a page that is not JSON."""
    try:
        found = from_json(body.removeprefix(BOM_UTF8))
    except ValueError:
        return ""
    error = found.get("error", found) if isinstance(found, dict) else found
    return f"{_type(error)} {_message(error)}".strip()


def _message(error: Any) -> str:
    if isinstance(error, Mapping):
        error = error.get("message", error.get("detail", error.get("error", "")))
    return error if isinstance(error, str) else ""


def _type(error: object) -> str:
    found = (error.get("type"), error.get("code")) if isinstance(error, Mapping) else ()
    return " ".join(part for part in found if isinstance(part, str))


def _sentence(start: str, text: str, secret: str | None) -> str:
    if secret:
        text = text.replace(secret, "***")
    text = _KEYS.sub("***", text)
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: TEXT_LIMIT * 4]).split())
    text = text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"
    return f"{start}: {text}" if text else start
