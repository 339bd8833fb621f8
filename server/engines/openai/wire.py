"""An engine call as the JSON of a chat completion request; pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic_core import to_json

from router.errors import EngineRejected
from router.types import Contract, EngineCall, Evidence, Message, Part, Sampling, Tool
from server.engines.openai.flavours import Fields, Flavour
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


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine is spoken to: its options and what its flavour knows."""

    options: OpenAIOptions
    flavour: Flavour

    def native(self, call: EngineCall) -> bool:
        """Whether this call's tools go as the server's own `tools`: not beside a form that would keep the server from calling them."""
        if self.options.tools != "native" or call.contract.kind != "tools":
            return False
        return call.contract.form is None or self.flavour.formed_tools

    def streams(self, call: EngineCall) -> bool:
        """Whether chunks are asked for: where they are wanted and the server can give what goes with them."""
        return call.live and not (self.native(call) and logprobs_wanted(call) and not self.flavour.streams_tool_logprobs)

    def request(self, call: EngineCall) -> bytes:
        """The body to post; raises EngineRejected on what the server would drop in silence."""
        if call.contract.kind not in self.flavour.kinds:
            raise EngineRejected(f"an engine of flavour {self.flavour.name} cannot be held to a {call.contract.kind} contract")
        self._refuse(call.sampling)
        fields: Fields = {"model": self.options.model, "messages": self._messages(call), **self._stream(call)}
        fields |= self._sampling(call.sampling)
        if logprobs_wanted(call):
            fields |= self._logprobs(call)
        for name, text in call.sampling.extra:
            fields[name] = json.loads(text)
        form = self._tools if self.native(call) else self._form
        return to_json(fields)[:-1] + call.contract.once((self.flavour.name, form.__name__), form)

    def prompt_tokens(self, call: EngineCall) -> int:
        """An estimate: 3.5 characters a token, 4 tokens a message for its role and marks, 800 for a part that is not text."""
        messages = call.messages if self._raw(call) else render(call, self.options.tools_prompt)
        tools = sum(len(to_json(_tool(tool), fallback=_plain)) for tool in offered(call.contract)) if self.native(call) else 0
        characters = tools + sum(_characters(message) for message in messages)
        others = sum(part.kind != "text" for message in messages for part in message.parts)
        return round(characters / CHARACTERS_PER_TOKEN) + MESSAGE_TOKENS * (len(messages) + 1) + PART_TOKENS * others

    def _stream(self, call: EngineCall) -> Fields:
        """Where usage is told along with the text, a stream that is cut short has its exact count too."""
        if not self.streams(call):
            return {"stream": False}
        along = {"continuous_usage_stats": True} if self.flavour.counts_along and call.sampling.n == 1 else {}
        return {"stream": True, "stream_options": {"include_usage": True, **along}}

    def _refuse(self, sampling: Sampling) -> None:
        unknown = [name for name, _ in sampling.extra if name not in self.flavour.extras] if sampling.extra else []
        if sampling.n > 1 and "n" in self.flavour.lacks:
            unknown.append("n")
        if sampling.logit_bias and "logit_bias" in self.flavour.lacks:
            unknown.append("logit_bias")
        if unknown:
            raise EngineRejected(f"an engine of flavour {self.flavour.name} does not know {', '.join(unknown)}", param=unknown[0])

    def _raw(self, call: EngineCall) -> bool:
        """Messages go as they are where tools are the server's own business."""
        return self.native(call) or (self.options.tools == "native" and call.contract.kind == "none")

    def _messages(self, call: EngineCall) -> list[Fields]:
        messages = _aside(call.messages) if self._raw(call) else render(call, self.options.tools_prompt)
        return [_message(message, developer=self.flavour.developer) for message in messages]

    def _sampling(self, sampling: Sampling) -> Fields:
        fields: Fields = {}
        for name in ("temperature", "seed", "presence_penalty", "frequency_penalty"):
            if (value := getattr(sampling, name)) is not None:
                fields[name] = value
        if sampling.top_p is not None:
            fields["top_p"] = max(sampling.top_p, LEAST_TOP_P)
        if sampling.max_tokens is not None:
            fields[self.flavour.length_field] = sampling.max_tokens
        if sampling.stop:
            fields["stop"] = sampling.stop
        if sampling.n > 1:
            fields["n"] = sampling.n
        if sampling.logit_bias:
            fields["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias}
        return fields

    def _logprobs(self, call: EngineCall) -> Fields:
        top = max(call.sampling.top_logprobs, TOP if Evidence.LOGPROBS in call.evidence else 0)
        return {"logprobs": True, "top_logprobs": min(top, self.flavour.most_top)}

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


def logprobs_wanted(call: EngineCall) -> bool:
    """Whether anybody asked for log-probabilities."""
    return call.sampling.logprobs or Evidence.LOGPROBS in call.evidence


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


def _message(message: Message, *, developer: bool) -> Fields:
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
    for part in message.parts:
        if part.kind != "text":
            return [_part(part) for part in message.parts]
    return message.text if message.parts or not message.tool_calls else None


def _part(part: Part) -> object:
    return {"type": "text", "text": part.text} if part.kind == "text" else json.loads(part.payload)


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
