"""Requests and answers in the words of replay records: what is stored only where the operator wants content."""

import json
from collections.abc import Sequence

from router.contract import answer
from router.types import Choice, Contract, GenerationRequest, Message, Outcome, Part, Token

Json = dict[str, object]


def kept(request: GenerationRequest, outcome: Outcome) -> Json:
    """The request, and the message of every attempt that gave one (`None` where it gave none)."""
    drafts = [attempt.generation.choices[0] if attempt.generation else None for attempt in outcome.attempts]
    return {"request": asked(request), "answers": [said(request.contract, draft) if draft else None for draft in drafts]}


def asked(request: GenerationRequest) -> Json:
    """The request as a chat request of OpenAI's."""
    return {"messages": [_message(message) for message in request.messages], **_form(request.contract)}


def said(contract: Contract, choice: Choice) -> Json:
    """The answer as a message, with its log-probabilities where there are any."""
    found: Json = {"message": _answer(contract, choice)}
    return found | ({"logprobs": {"content": _tokens(choice.tokens)}} if _measured(choice.tokens) else {})


def _message(message: Message) -> Json:
    found: Json = {"role": message.role, "content": _parts(message.parts)}
    if message.tool_calls:
        found["tool_calls"] = [_call(call.id, call.name, call.arguments) for call in message.tool_calls]
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    return found | ({"name": message.name} if message.name else {})


def _parts(parts: tuple[Part, ...]) -> object:
    """Text as a string; images and files are only named, not stored."""
    if all(part.kind == "text" for part in parts):
        return "".join(part.text for part in parts)
    return [{"type": "text", "text": part.text} if part.kind == "text" else {"type": part.kind} for part in parts]


def _call(call_id: str, name: str, arguments: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _form(contract: Contract) -> Json:
    match contract.kind:
        case "tools":
            return _tools(contract)
        case "json_schema":
            return {"response_format": {"type": "json_schema", "json_schema": {"name": contract.name, "schema": json.loads(contract.text)}}}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case "choice":
            return {"structured_outputs": {"choice": list(contract.choices)}}
        case "regex" | "grammar":
            return {"structured_outputs": {contract.kind: contract.text}}
    return {}


def _tools(contract: Contract) -> Json:
    functions = [{"name": t.name, "description": t.description, "parameters": dict(t.parameters)} for t in contract.tools]
    found: Json = {"tools": [{"type": "function", "function": function} for function in functions]}
    found |= _form(contract.form) if contract.form is not None else {}
    choice = contract.tool_choice
    if choice.mode == "required":
        found["tool_choice"] = "required"
    elif choice.mode == "named":
        found["tool_choice"] = {"type": "function", "function": {"name": choice.names[0]}}
    return found


def _answer(contract: Contract, choice: Choice) -> Json:
    found = answer(contract, choice)
    message: Json = {"role": "assistant", "content": found.content}
    calls = [_call(call.id, call.name, call.arguments) for call in found.tool_calls]
    return message | ({"tool_calls": calls} if calls else {})


def _measured(tokens: Sequence[Token]) -> bool:
    return any(token.logprob is not None or token.raw_logprob is not None for token in tokens)


def _tokens(tokens: Sequence[Token]) -> list[Json]:
    return [_token(token) for token in tokens if token.logprob is not None or token.raw_logprob is not None]


def _token(token: Token) -> Json:
    logprob = token.logprob if token.logprob is not None else token.raw_logprob
    top = [{"token": other.text, "logprob": other.logprob} for other in token.top or token.masked_top]
    return {"token": token.text, "logprob": logprob, "raw_logprob": token.raw_logprob, "free": token.free, "top_logprobs": top}
