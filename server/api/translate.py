"""From OpenAI's words to the domain's: a validated body becomes a GenerationRequest, purely."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from router import contract as form
from router.contract import Limits
from router.errors import InvalidRequest, UnsupportedParameter
from router.limits import within
from router.types import Contract, GenerationRequest, Message, Part, Sampling, Schema, Tool, ToolCall, ToolChoice
from server.api.messages import AnyMessage, AudioPart, FilePart, ImagePart, RefusalPart, TextPart
from server.api.naming import RouteFacts, Target
from server.api.wire import AllowedChoice, ChatRequest, Common, Format, NamedTool, OfferedTool, StructuredOutputs

AnyPart = TextPart | RefusalPart | ImagePart | AudioPart | FilePart


def translate(body: ChatRequest, target: Target, facts: RouteFacts, request_id: str, limits: Limits) -> GenerationRequest:
    """The request as the cascade sees it; raises InvalidRequest or UnsupportedParameter naming the field."""
    if body.top_logprobs and not body.logprobs:
        raise InvalidRequest("top_logprobs needs logprobs: true", param="top_logprobs")
    made = GenerationRequest(
        id=request_id,
        route=target.route,
        messages=messages(body.messages),
        contract=contract(body, limits),
        sampling=sampling(body, _max_tokens(body), facts, logprobs=bool(body.logprobs), top=body.top_logprobs or 0),
        budget=facts.budget,
        pinned=target.pinned,
        stream=bool(body.stream),
        inside_only=facts.inside_only,
    )
    return _confined(made, body.metadata, facts) if body.metadata else made


def messages(given: Sequence[AnyMessage]) -> tuple[Message, ...]:
    """The conversation; raises InvalidRequest for a tool's result that answers no call."""
    called: set[str] = set()
    told: list[Message] = []
    for index, message in enumerate(given):
        parts = _parts(message.content)
        if message.role == "assistant":
            calls = tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ())
            called.update(call.id for call in calls)
            refusal = (Part("text", message.refusal),) if message.refusal else ()
            told.append(Message("assistant", (*parts, *refusal), calls, name=message.name))
        elif message.role == "tool":
            if message.tool_call_id not in called:
                param = f"messages[{index}].tool_call_id"
                raise InvalidRequest(f"{param}: no earlier assistant message has a tool call of this id", param=param)
            told.append(Message("tool", parts, tool_call_id=message.tool_call_id, name=message.name))
        else:
            told.append(Message(message.role, parts, name=message.name))
    return tuple(told)


def _confined(made: GenerationRequest, metadata: Mapping[str, str], facts: RouteFacts) -> GenerationRequest:
    """The request within what its metadata says of it, which can only tighten: raises InvalidRequest for any other word."""
    if metadata.get("residency", "inside") != "inside":
        raise InvalidRequest("metadata.residency: only 'inside' can be asked for", param="metadata.residency")
    told = replace(made, inside_only=made.inside_only or "residency" in metadata, metadata=tuple(metadata.items()))
    return within(told, facts.task(metadata), facts.targets)


def contract(body: ChatRequest, limits: Limits) -> Contract:
    """What the answer must look like: calls of tools, a response format, either of these two, or vLLM's structured outputs."""
    formatted = form.text() if body.response_format is None else _format(body.response_format, limits)
    if body.tool_choice is None and not body.tools and body.structured_outputs is None:
        return formatted
    calls = _calls(body, formatted, limits)
    demanded = form.text() if body.structured_outputs is None else structured(body.structured_outputs, limits)
    if calls.kind != "none" and demanded.kind != "none":
        raise UnsupportedParameter("structured_outputs cannot be combined with tools that may be called", param="structured_outputs")
    if formatted.kind != "none" and demanded.kind != "none":
        raise InvalidRequest("give response_format or structured_outputs, not both", param="structured_outputs")
    if calls.kind != "none" and body.logprobs:
        raise UnsupportedParameter("log-probabilities of tool calls are not supported", param="logprobs")
    if calls.kind != "none":
        return calls
    return formatted if formatted.kind != "none" else demanded


def sampling(body: Common, max_tokens: int | None, facts: RouteFacts, *, logprobs: bool, top: int) -> Sampling:
    """How tokens are drawn; raises UnsupportedParameter for what the route's engines do not know."""
    extra, bias = body.extra, body.logit_bias
    if extra and (unknown := sorted(extra.keys() - facts.parameters)):
        raise UnsupportedParameter(f"the engines of this route do not know {unknown[0]}", param=unknown[0])
    stop = body.stop
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        seed=body.seed,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        max_tokens=max_tokens,
        n=body.n or 1,
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        logit_bias=tuple([(int(token), value) for token, value in bias.items()]) if bias else (),
        logprobs=logprobs,
        top_logprobs=top,
        extra=tuple([(name, json.dumps(value)) for name, value in extra.items()]) if extra else (),
    )


def _max_tokens(body: ChatRequest) -> int | None:
    if body.max_tokens and body.max_completion_tokens and body.max_tokens != body.max_completion_tokens:
        raise InvalidRequest("max_tokens and max_completion_tokens differ: give one", param="max_tokens")
    return body.max_completion_tokens or body.max_tokens


def _parts(content: str | Sequence[AnyPart] | None) -> tuple[Part, ...]:
    return (Part("text", content),) if isinstance(content, str) else tuple(map(_part, content or ()))


def _part(part: AnyPart) -> Part:
    match part:
        case TextPart():
            return Part("text", part.text)
        case RefusalPart():
            return Part("text", part.refusal)
        case ImagePart():
            return Part("image", payload=part.model_dump_json(exclude_none=True))
        case AudioPart():
            return Part("audio", payload=part.model_dump_json(exclude_none=True))
        case FilePart():
            return Part("file", payload=part.model_dump_json(exclude_none=True))


def _tool(tool: OfferedTool) -> Tool:
    offered = tool.function
    return Tool(offered.name, offered.parameters or {}, offered.description or "", strict=bool(offered.strict))


def _calls(body: ChatRequest, formatted: Contract, limits: Limits) -> Contract:
    offered = tuple(map(_tool, body.tools or ()))
    if not offered and body.tool_choice is None:
        return form.text()
    choice, allowed = _choice(body, {tool.name for tool in offered})
    chosen = offered if allowed is None else tuple(tool for tool in offered if tool.name in allowed)
    if not chosen and choice.mode == "auto":
        return form.text()
    said = None if formatted.kind == "none" else formatted
    return form.tools(chosen, choice, body.parallel_tool_calls is not False, form=said, limits=limits)


def _choice(body: ChatRequest, offered: set[str]) -> tuple[ToolChoice, set[str] | None]:
    """The choice, and the only tools to offer where the client narrows them."""
    match body.tool_choice:
        case NamedTool(function=named):
            return ToolChoice("named", (named.name,)), None
        case AllowedChoice(allowed_tools=allowed):
            names = {tool.function.name for tool in allowed.tools}
            if names - offered:
                raise InvalidRequest(f"tool_choice allows {min(names - offered)!r}, which tools does not offer", param="tool_choice")
            return ToolChoice(allowed.mode), names
        case None:
            return ToolChoice("auto"), None
        case mode:
            return ToolChoice(mode), None


def _format(given: Format, limits: Limits) -> Contract:
    if given.type == "text":
        return form.text()
    if given.type == "json_object":
        beside = given.schema_
        return form.json_object() if beside is None else form.json_schema(beside, param="response_format.schema", limits=limits)
    named = given.json_schema
    return form.json_schema({} if named.schema_ is None else named.schema_, named.name, bool(named.strict), limits=limits)


def structured(given: StructuredOutputs, limits: Limits) -> Contract:
    """The contract of vLLM's own field."""
    match given:
        case StructuredOutputs(regex=str(pattern)):
            return form.regex(pattern)
        case StructuredOutputs(choice=list(choices)):
            return form.choice(choices)
        case StructuredOutputs(grammar=str(grammar)):
            return form.grammar(grammar)
        case StructuredOutputs(json_object=True):
            return form.json_object()
        case StructuredOutputs(json_=schema) if schema is not None:
            param = "structured_outputs.json"
            return form.json_schema(_loaded(schema, param) if isinstance(schema, str) else schema, param=param, limits=limits)
        case _:
            return form.text()


def _loaded(text: str, param: str) -> Schema:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{param}: not valid JSON", param=param) from error
    if not isinstance(schema, dict):
        raise InvalidRequest(f"{param}: a schema is a JSON object", param=param)
    return schema
