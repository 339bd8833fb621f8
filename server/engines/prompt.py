"""Renders an engine call into plain chat messages, so that a model without a tool parser of its own can read tools, calls and results."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from pydantic_core import from_json

from router.types import Contract, EngineCall, Message, Part, Tool

Form = Literal["names", "full"]
"""`names`: the offered function names on one line, as the bundled models learnt it, a form beside them untold; `full`: instructions,
descriptions and schemas."""

PLAIN = frozenset({"system", "user"})
"""Whose turns are shown as they are."""
INSTRUCTIONS = "You can call these functions. Answer with JSON only."
CALL_FORM = 'To call functions: {"tool_calls":[{"name":"<function>","arguments":{...}}]}'
MESSAGE_FORM = 'To answer in words: {"message":"<your answer>"}'


def render(call: EngineCall, form: Form) -> tuple[Message, ...]:
    """The messages to send: roles system, user and assistant, calls and results as text; parts that are not text are kept as they are."""
    names: dict[str, str] = {}  # of the calls so far: some clients count their calls anew each turn
    turns = [message if message.role in PLAIN else _turn(message, names, call.contract) for message in call.messages]
    if call.guide:
        return tuple(_with_notice(turns, call.guide, first=True))
    notice = call.contract.once(form, _names if form == "names" else _instructions)
    return tuple(_with_notice(turns, notice)) if notice else tuple(turns)


def offered(contract: Contract) -> tuple[Tool, ...]:
    """The functions that the answer may call: those that a named tool choice leaves over."""
    if contract.kind != "tools" or contract.tool_choice.mode == "none":
        return ()
    chosen = contract.tool_choice.names
    return tuple(tool for tool in contract.tools if contract.tool_choice.mode != "named" or tool.name in chosen)


def _names(contract: Contract) -> str:
    if contract.kind == "tools":
        return " ".join(tool.name for tool in offered(contract))
    if contract.kind in ("json_schema", "json_object"):
        return " ".join(("JSON", *_properties(contract)))
    return ""


def _properties(contract: Contract) -> tuple[str, ...]:
    properties = (contract.schema or {}).get("properties")
    return tuple(properties) if isinstance(properties, dict) else ()


def _instructions(contract: Contract) -> str:
    tools = offered(contract)
    if not tools:
        return ""
    forms = (CALL_FORM, _message_form(contract.form)) if contract.tool_choice.mode == "auto" else (CALL_FORM,)
    count = () if contract.parallel else ("Call one function at most.",)
    return "\n".join((INSTRUCTIONS, *forms, *count, *(_described(tool) for tool in tools)))


def _message_form(form: Contract | None) -> str:
    if form is None:
        return MESSAGE_FORM
    return f'To answer without a call: {{"message":{{...}}}}, where the message follows this schema:\n{_compact(form.schema or {})}'


def _described(tool: Tool) -> str:
    head = f"{tool.name}: {tool.description}" if tool.description else tool.name
    return f"{head}\n{_compact(tool.parameters)}"


def _turn(message: Message, names: dict[str, str], contract: Contract) -> Message:
    if message.role == "tool":
        function = names.get(message.tool_call_id or "") or message.name or "function"
        return Message("user", (Part("text", f"Result of {function}: "), *message.parts))
    if message.role == "developer":
        return replace(message, role="system")
    names.update((made.id, made.name) for made in message.tool_calls)
    return _said(message, contract)


def _said(message: Message, contract: Contract) -> Message:
    """An assistant's turn in the form that the model itself is asked to speak."""
    if message.tool_calls:
        calls = [{"name": made.name, "arguments": _parsed(made.arguments)} for made in message.tool_calls]
        lines = (message.text, _compact({"tool_calls": calls}))
        return Message("assistant", _text("\n".join(line for line in lines if line)))
    if contract.kind == "tools" and message.text and not message.text.startswith(('{"tool_calls":', '{"message":')):
        said = message.text if contract.form is None else _parsed(message.text)
        return Message("assistant", _text(_compact({"message": said})))
    return message


def _with_notice(turns: Sequence[Message], notice: str, *, first: bool = False) -> Iterable[Message]:
    """The notice stands in the system message, after the client's own text, or before it."""
    head = turns[0] if turns else None
    if head is None or head.role != "system":
        return (Message("system", _text(notice)), *turns)
    both = (notice, head.text) if first else (head.text, notice)
    return (replace(head, parts=_text("\n".join(filter(None, both)))), *turns[1:])


def _parsed(arguments: str) -> object:
    """What they say; the text itself where that is no JSON, or none that could be sent on: half a character, or nested without end."""
    try:
        return from_json(arguments)
    except ValueError:
        return arguments


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(text: str) -> tuple[Part, ...]:
    return (Part("text", text),)
