"""An engine call as the JSON of a chat completion request; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from pydantic_core import to_json

from router.errors import EngineRejected
from router.types import Contract, EngineCall, Evidence, Message, Part, Sampling, Tool
from router.types.records import record
from server.engines.openai.flavours import Fields, Flavour
from server.engines.openai.logprobs import Reading
from server.engines.openai.options import OpenAIOptions
from server.engines.prompt import offered, render

CHARACTERS_PER_TOKEN = 3.5
MESSAGE_TOKENS = 4
PART_TOKENS = 800
RETURNED = Part("text", "What the functions returned:")
LEAST_TOP_P = 1e-6
"""In place of 0, which OpenAI takes and vLLM does not: the likeliest token alone either way."""
TOP = 5
"""Alternatives asked for where scores need log-probabilities: two tell freedom, five make a margin and an entropy."""
_encode = msgspec.json.Encoder().encode


class Body(msgspec.Struct, omit_defaults=True):
    """What is asked but for the form of the answer; what stands at its default is not said."""

    model: str
    messages: list[Fields]
    stream: bool
    stream_options: Fields | None = None
    temperature: float | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    logit_bias: dict[str, float] | None = None
    logprobs: bool = False
    top_logprobs: int | None = None


@record(frozen=True, slots=True)
class Manner:
    """How calls under one contract are put: `native` says that tools go as the server's own, `raw` that messages go as they are.

    `form` is the end of the request's JSON, `None` where the server cannot be held to the contract; `reading` is how the answer's
    log-probabilities are read.
    """

    native: bool
    raw: bool
    form: bytes | None
    reading: Reading


@record(frozen=True, slots=True)
class Written:
    """A call as it goes to the server; `streamed` says that chunks are asked for."""

    body: bytes
    streamed: bool
    manner: Manner


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine is spoken to: its options and what its flavour knows."""

    options: OpenAIOptions
    flavour: Flavour

    def manner(self, contract: Contract) -> Manner:
        """Worked out once for a contract."""
        return contract.once((self.flavour.name, self.options.tools, self.options.logprobs), self._manner)

    def write(self, call: EngineCall) -> Written:
        """What to post; raises EngineRejected on what the server would drop in silence."""
        manner, sampling = self.manner(call.contract), call.sampling
        if manner.form is None:
            raise EngineRejected(f"an engine of flavour {self.flavour.name} cannot be held to a {call.contract.kind} contract")
        if sampling.extra or sampling.n > 1 or sampling.logit_bias:
            self._refuse(sampling)
        scored = Evidence.LOGPROBS in call.evidence
        wanted = scored or sampling.logprobs
        streamed = call.live and (self.flavour.streams_tool_logprobs or not (manner.native and wanted))
        body = Body(
            self.options.model,
            self._messages(call, manner),
            streamed,
            self._stream_options(sampling.n) if streamed else None,
            sampling.temperature,
            sampling.seed,
            sampling.presence_penalty,
            sampling.frequency_penalty,
            None if sampling.top_p is None else max(sampling.top_p, LEAST_TOP_P),
            stop=sampling.stop,
            n=sampling.n,
            logit_bias={str(token): bias for token, bias in sampling.logit_bias} if sampling.logit_bias else None,
            logprobs=wanted,
            top_logprobs=min(max(sampling.top_logprobs, TOP if scored else 0), self.flavour.most_top) if wanted else None,
        )
        setattr(body, self.flavour.length_field, sampling.max_tokens)
        extra = "".join([f',"{name}":{text}' for name, text in sampling.extra]).encode() if sampling.extra else b""
        return Written(_encode(body)[:-1] + extra + manner.form, streamed, manner)

    def prompt_tokens(self, call: EngineCall) -> int:
        """An estimate: 3.5 characters a token, 4 tokens a message for its role and marks, 800 for a part that is not text."""
        manner = self.manner(call.contract)
        messages = call.messages if manner.raw else render(call, self.options.tools_prompt)
        tools = sum(len(to_json(_tool(tool), fallback=_plain)) for tool in offered(call.contract)) if manner.native else 0
        characters = tools + sum(_characters(message) for message in messages)
        others = sum(part.kind != "text" for message in messages for part in message.parts)
        return round(characters / CHARACTERS_PER_TOKEN) + MESSAGE_TOKENS * (len(messages) + 1) + PART_TOKENS * others

    def _manner(self, contract: Contract) -> Manner:
        kind, own = contract.kind, self.options.tools == "native"
        native = own and kind == "tools" and (contract.form is None or self.flavour.formed_tools)  # else its form keeps it from calling
        form = self._tools if native else self._form
        stage, json = self.options.logprobs or self.flavour.mask, kind in ("tools", "json_schema", "json_object")
        reading = Reading(kind != "none", "after" if stage == "processed" else stage, json, stage != "processed")
        return Manner(native, native or (own and kind == "none"), form(contract) if kind in self.flavour.kinds else None, reading)

    def _stream_options(self, n: int) -> Fields:
        """Where usage is told along with the text, a stream that is cut short has its exact count too."""
        along = {"continuous_usage_stats": True} if self.flavour.counts_along and n == 1 else {}
        return {"include_usage": True, **along}

    def _refuse(self, sampling: Sampling) -> None:
        unknown = [name for name, _ in sampling.extra if name not in self.flavour.extras]
        if sampling.n > 1 and "n" in self.flavour.lacks:
            unknown.append("n")
        if sampling.logit_bias and "logit_bias" in self.flavour.lacks:
            unknown.append("logit_bias")
        if unknown:
            raise EngineRejected(f"an engine of flavour {self.flavour.name} does not know {', '.join(unknown)}", param=unknown[0])

    def _messages(self, call: EngineCall, manner: Manner) -> list[Fields]:
        messages = _aside(call.messages) if manner.raw else render(call, self.options.tools_prompt)
        return [_message(message, self.flavour.developer) for message in messages]

    def _form(self, contract: Contract) -> bytes:
        return _rest(self.flavour.form(contract))

    def _tools(self, contract: Contract) -> bytes:
        """A named choice becomes the named functions alone with `required`: the object form is not known to all."""
        tools, choice = offered(contract), contract.tool_choice.mode
        if not tools:
            return _rest({})
        mode = "auto" if choice == "auto" else "required"
        single: Fields = {} if contract.parallel else {"parallel_tool_calls": False}
        form = {} if contract.form is None else self.flavour.form(contract.form)
        return _rest({"tools": [_tool(tool) for tool in tools], "tool_choice": mode, **single, **form})


def likely_tokens(text: str) -> int:
    """An estimate of a whole text's tokens, at least one: what an answer is taken to have whose server tells no usage."""
    return max(1, round(len(text) / CHARACTERS_PER_TOKEN))


def _rest(fields: Fields) -> bytes:
    """These fields as the end of an object that has others before them."""
    return b"," + to_json(fields, fallback=_plain)[1:] if fields else b"}"


def _aside(messages: Sequence[Message]) -> Iterable[Message]:
    """With what functions returned beside text after their results: only of a user does every server take images and files."""
    beside: list[Part] = []
    for message in messages:
        if beside and message.role != "tool":
            yield Message("user", (RETURNED, *beside))
            beside = []
        if message.role == "tool" and (others := [part for part in message.parts if part.kind != "text"]):
            beside += others
            message = replace(message, parts=tuple(part for part in message.parts if part.kind == "text"))
        yield message
    if beside:
        yield Message("user", (RETURNED, *beside))


def _message(message: Message, developer: bool) -> Fields:
    role = "system" if message.role == "developer" and not developer else message.role
    fields: Fields = {"role": role, "content": _content(message)}
    if message.name:
        fields["name"] = message.name
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        fields["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
    return fields


def _content(message: Message) -> str | list[object] | None:
    parts = message.parts
    if len(parts) == 1 and parts[0].kind == "text":
        return parts[0].text
    if not parts and message.tool_calls:
        return None
    texts = [part.text for part in parts if part.kind == "text"]
    return "".join(texts) if len(texts) == len(parts) else [_part(part) for part in parts]


def _part(part: Part) -> object:
    return {"type": "text", "text": part.text} if part.kind == "text" else msgspec.Raw(part.payload)


def _tool(tool: Tool) -> Fields:
    described: Fields = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        described["description"] = tool.description
    if tool.strict:
        described["strict"] = True
    return {"type": "function", "function": described}


def _characters(message: Message) -> int:
    return len(message.text) + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)


def _plain(value: object) -> object:
    """A mapping that is no dict, as one."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
