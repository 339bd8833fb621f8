"""A request and its answer as plain JSON, for judges outside: models, rules, hooks."""

from router.contract.strictjson import NotJson, parse
from router.types import Draft, GenerationRequest

Json = dict[str, object]


def request_account(request: GenerationRequest) -> Json:
    """Who asked what: messages as text, the offered tools by name; no sampling, no engine fields."""
    return {
        "id": request.id,
        "route": request.route,
        "text": next((message.text for message in reversed(request.messages) if message.role == "user"), ""),
        "messages": [{"role": message.role, "text": message.text} for message in request.messages],
        "tools": [tool.name for tool in request.contract.tools],
        "form": request.contract.kind,
        "metadata": dict(request.metadata),
    }


def answer_account(draft: Draft) -> Json:
    """The answer taken apart: `text` and `finish_reason` always, `tool_calls`, `message` or `json` where it has them."""
    told: Json = {"text": draft.choice.text, "finish_reason": draft.choice.finish_reason, "tool_calls": []}
    if draft.request.contract.kind not in ("tools", "json_schema", "json_object"):
        return told | {"message": draft.choice.text}
    try:
        value = parse(draft.choice.text)
    except NotJson:
        return told
    if draft.request.contract.form is not None and isinstance(value, dict) and "message" in value:
        return told | {"json": value["message"]}
    if draft.request.contract.kind == "tools" and isinstance(value, dict):
        words = {"message": value["content"]} if "content" in value else {}
        return told | words | {key: value[key] for key in ("tool_calls", "message") if key in value}
    return told | {"json": value}
