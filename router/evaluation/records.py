"""Replay records: recorded answers of several tiers to one request with their labels, one JSON object a line.

    id, group            an identifier and the family it belongs to; neither is ever a feature, thresholds are fitted by group
    request              an OpenAI chat request: messages, and tools, response_format or structured_outputs where the task has them;
                         may be absent where every tier has features
    tiers                {"small": A, "large": A, ...}: two or more; "second" is another cheap answer, used for agreement
    A                    {"message"?, "finish_reason", "usage"?, "seconds"?, "logprobs"?, "features"?, "correct": 0..1}
    label                {"source": "gold" | "feedback" | "audit", "weight": > 0, <= 1e9}, gold and 1 if absent

`message` is absent where only the label was recorded; `features` (named numbers, null for unknown) stand in place of text not kept.
Recorded tools are not held to the wire models: names may have dots, schemas may be odd.

A line with an `event` is of the gateway's log. One of the event `request` is a record with further fields beside it, and is left out where
it carries no label (nobody knows how right the answer was) or not the tiers that are asked for. All other events are left out. So is a
record of feedback, which holds only the tier that answered, without the tiers that are asked of it.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.calibration.family import family
from router.calibration.features import FEATURES
from router.errors import InvalidRequest
from router.evaluation.logged import Leave, recorded
from router.types import Alternative, Choice, Contract, FinishReason, GenerationRequest, Message, Part, Role, Token, Tool, ToolChoice, Usage

Source = Literal["gold", "feedback", "audit"]
_ROLES: dict[str, Role] = {"system": "system", "developer": "developer", "user": "user", "assistant": "assistant", "tool": "tool"}
HEAVIEST = 1e9
"""The largest weight of a label: beyond it the others no longer count, and a fit need not end."""
_KNOWN = frozenset(FEATURES)
_SPACES = re.compile(r"[\W_]+")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Function(BaseModel):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _Tool(BaseModel):
    function: _Function


class _Called(BaseModel):
    name: str
    arguments: str


class _Call(BaseModel):
    function: _Called


class _Message(BaseModel):
    role: str
    content: str | list[Any] | None = None
    tool_calls: list[_Call] | None = None


class _Name(BaseModel):
    name: str = ""


class _Named(BaseModel):
    function: _Name = _Name()


class _Schema(BaseModel):
    given: Annotated[Any, Field(alias="schema")] = None


class _Format(BaseModel):
    type: str | None = None
    json_schema: _Schema | None = None


class _Outputs(BaseModel):
    choice: list[Any] | None = None
    given: Annotated[Any, Field(alias="json")] = None


class _Request(BaseModel):
    messages: Annotated[list[_Message], Field(min_length=1)]
    tools: list[_Tool] | None = None
    tool_choice: str | _Named | None = None
    response_format: _Format | None = None
    structured_outputs: _Outputs | None = None


class _Top(BaseModel):
    token: str
    logprob: float


class _Token(_Top):
    raw_logprob: float | None = None
    free: bool | None = None
    top_logprobs: list[_Top] = []


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Usage(BaseModel):
    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)]


class _Tier(_Strict):
    message: _Message | None = None
    finish_reason: FinishReason | None = "stop"
    usage: _Usage | None = None
    seconds: Annotated[float, Field(ge=0)] | None = None
    logprobs: _Logprobs | None = None
    features: dict[str, float | None] | None = None
    correct: Annotated[float, Field(ge=0, le=1)]


class _Label(_Strict):
    source: Source = "gold"
    weight: Annotated[float, Field(gt=0, le=HEAVIEST)] = 1.0


class _Record(_Strict):
    id: str
    group: str = ""
    request: _Request | None = None
    tiers: Annotated[dict[str, _Tier], Field(min_length=1)]
    label: _Label = _Label()


@dataclass(frozen=True, slots=True)
class Answer:
    """One tier's recorded answer; `choice` is `None` where only its features or its label were kept. `correct` is 0 to 1."""

    choice: Choice | None
    features: Mapping[str, float] | None
    correct: float
    usage: Usage | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Record:
    """One request with all its recorded answers; `key` is alike for records that ask the same question."""

    id: str
    group: str
    request: GenerationRequest
    answers: Mapping[str, Answer]
    source: Source
    weight: float
    key: str


@dataclass(frozen=True, slots=True)
class _Needed:
    """The tiers that each record must have, and those that one of feedback must: it holds only the tier that answered."""

    tiers: tuple[str, ...]
    feedback: tuple[str, ...]

    def missing(self, record: _Record) -> list[str]:
        """Those that the record lacks."""
        return [tier for tier in (self.feedback if record.label.source == "feedback" else self.tiers) if tier not in record.tiers]


def read(
    paths: Iterable[str | Path], tiers: Iterable[str] = (), leave: Leave = lambda why: None, feedback: Iterable[str] | None = None
) -> Iterator[Record]:
    """Records of the files in order, streamed; each must have the named tiers. Raises InvalidRequest naming file and line.

    A record of feedback is left out without the tiers of `feedback`, the same if `None`. `leave` is told of it, and of each request in a
    log that is no record.
    """
    asked = tuple(tiers)
    needed = _Needed(asked, asked if feedback is None else tuple(feedback))
    seen = dict[tuple[str, str], str]()
    for path in paths:
        try:
            with Path(path).open("rb") as lines:
                yield from _records(Path(path), lines, needed, leave, seen)
        except OSError as error:
            raise InvalidRequest(f"{path}: {error}") from error


def _records(path: Path, lines: Iterable[bytes], needed: _Needed, leave: Leave, seen: dict[tuple[str, str], str]) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        document = _loaded(line, where) if line.strip() else None
        if document is not None and "event" in document:
            document = recorded(document, needed.tiers, leave)
        checked = None if document is None else _checked(document, needed, where)
        if checked is not None and needed.missing(checked):
            leave("other_tiers")
        elif checked is not None:
            record = _domain(checked, where)
            _new(record, where, seen)
            yield record


def _new(record: Record, where: str, seen: dict[tuple[str, str], str]) -> None:
    """The same question under the same id is the same label: counted twice it would make a bound look surer than it is."""
    if first := seen.get((record.id, record.key)):
        raise InvalidRequest(f"{where}: id: {record.id!r} is at {first} already, with the same question", param=where)
    seen[record.id, record.key] = where


def _loaded(line: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{where}: not JSON: {error}", param=where) from error
    if not isinstance(found, dict):
        raise InvalidRequest(f"{where}: record: it must be a JSON object", param=where)
    return found


def _checked(document: Mapping[str, object], needed: _Needed, where: str) -> _Record:
    try:
        record = _Record.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "record"
        wrong = "it must be an object" if first["type"] == "model_type" else first["msg"]
        raise InvalidRequest(f"{where}: {field}: {wrong}", param=where) from error
    unknown = sorted({name for tier in record.tiers.values() for name in tier.features or ()} - _KNOWN)
    if unknown:
        raise InvalidRequest(f"{where}: features: {unknown[0]!r} is not a feature", param=where)
    missing = needed.missing(record)
    if missing and record.label.source != "feedback":
        raise InvalidRequest(f"{where}: there is no tier {missing[0]!r}, only {', '.join(record.tiers)}", param=where)
    return record


def _domain(record: _Record, where: str) -> Record:
    if record.request is None and any(tier.features is None for tier in record.tiers.values() if tier.message):
        raise InvalidRequest(f"{where}: request: a record without one needs features in place of messages", param=where)
    request = _request(record)
    answers = {name: _answer(request.contract, tier) for name, tier in record.tiers.items()}
    group = record.group or family(request)
    return Record(record.id, group, request, answers, record.label.source, record.label.weight, _key(record))


def _key(record: _Record) -> str:
    """The question without case, spaces and marks: twins share it, and no split may part them."""
    if record.request is None:
        return record.id
    said = " ".join(_text(message) for message in record.request.messages if message.role == "user")
    return _SPACES.sub(" ", said).casefold().strip()


def _request(record: _Record) -> GenerationRequest:
    wire = record.request
    if wire is None:
        return GenerationRequest(record.id, "", ())
    messages = tuple(_message(message) for message in wire.messages)
    return GenerationRequest(record.id, "", messages, _contract(wire), metadata=(("group", record.group),))


def _message(message: _Message) -> Message:
    return Message(_ROLES.get(message.role, "user"), (Part("text", _text(message)),))


def _text(message: _Message) -> str:
    if isinstance(message.content, list):
        return "".join(str(part.get("text", "")) for part in message.content if isinstance(part, dict))
    return message.content or ""


def _contract(wire: _Request) -> Contract:
    """The contract as recorded, uncompiled: odd names and schemas only cost the checks that need them."""
    form = _said_form(wire)
    if wire.tools:
        tools = tuple(Tool(t.function.name, t.function.parameters or {}, t.function.description or "") for t in wire.tools)
        text = json.dumps([tool.model_dump() for tool in wire.tools], sort_keys=True)
        said = form if form.kind in ("json_schema", "json_object") else None
        return Contract("tools", text, tools=tools, tool_choice=_tool_choice(wire.tool_choice), form=said)
    return form


def _said_form(wire: _Request) -> Contract:
    """What is demanded of an answer without calls."""
    outputs, form = wire.structured_outputs or _Outputs(), wire.response_format or _Format()
    if outputs.choice is not None:
        return Contract("choice", choices=tuple(map(str, outputs.choice)))
    schema = outputs.given or (form.json_schema or _Schema()).given
    if isinstance(schema, dict):
        return Contract("json_schema", json.dumps(schema, sort_keys=True), schema)
    return Contract("json_object", "{}", {}) if form.type == "json_object" else Contract()


def _tool_choice(value: str | _Named | None) -> ToolChoice:
    if value == "required":
        return ToolChoice("required")
    if isinstance(value, _Named):
        return ToolChoice("named", (value.function.name,))
    return ToolChoice()


def _answer(contract: Contract, tier: _Tier) -> Answer:
    usage = None if tier.usage is None else Usage(tier.usage.prompt_tokens, tier.usage.completion_tokens)
    named = None if tier.features is None else {name: math.nan if value is None else value for name, value in tier.features.items()}
    return Answer(_choice(contract, tier), named, tier.correct, usage, tier.seconds)


def _choice(contract: Contract, tier: _Tier) -> Choice | None:
    if tier.message is None:
        return None
    content = tier.logprobs.content if tier.logprobs else None
    tokens = tuple(map(_token, content or ()))
    return Choice(_answer_text(contract, tier.message), tier.finish_reason or "stop", tokens)


def _token(token: _Token) -> Token:
    top = tuple(Alternative(other.token, other.logprob) for other in token.top_logprobs)
    return Token(token.token, token.logprob, token.raw_logprob, token.free, top)


def _answer_text(contract: Contract, message: _Message) -> str:
    """The answer in the contract's own form, as engines give it."""
    if contract.kind != "tools":
        return _text(message)
    if not message.tool_calls:
        return json.dumps({"message": _text(message) if contract.form is None else _arguments(_text(message))})
    calls = [{"name": call.function.name, "arguments": _arguments(call.function.arguments)} for call in message.tool_calls]
    beside = _text(message) if contract.form is None else ""
    told = {"tool_calls": calls} | ({"content": beside} if beside.strip() else {})
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _arguments(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
