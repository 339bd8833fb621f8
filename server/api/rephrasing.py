"""A request for a response in the words of a chat request: the same conversation, tools and form, under other names."""

import re
from collections.abc import Iterable, Sequence

from router.contract import Limits
from router.errors import InvalidRequest, SmallfirstError
from router.types import GenerationRequest
from server.api import translate as chat
from server.api.messages import (
    AnyMessage,
    AssistantMessage,
    Call,
    CalledFunction,
    FileData,
    FilePart,
    ImagePart,
    ImageURL,
    InstructionMessage,
    RefusalPart,
    TextPart,
    ToolMessage,
    UserMessage,
)
from server.api.naming import RouteFacts, Target
from server.api.responding import (
    LOGPROBS,
    AllowedTools,
    ChosenTool,
    InputCall,
    InputFile,
    InputImage,
    InputItem,
    InputMessage,
    InputOutput,
    InputPart,
    InputText,
    Refusal,
    ResponseSchema,
    ResponsesRequest,
    ResponseTool,
    Resumed,
    TextOptions,
)
from server.api.wire import (
    SAMPLERS,
    AllowedChoice,
    ChatRequest,
    Choosing,
    Format,
    FunctionTool,
    NamedFunction,
    NamedSchema,
    NamedTool,
    OfferedTool,
    SchemaFormat,
)
from server.api.wire import AllowedTools as AllowedInChat

_SAME = ("model", "stream", "temperature", "top_p", "user", *SAMPLERS)
_SAME_TOO = ("parallel_tool_calls", "metadata", "chat_template_kwargs", "safety_identifier", "prompt_cache_key", "service_tier")
_RENAMED = (
    (r"response_format\.json_schema", "text.format"),
    (r"response_format", "text.format"),
    (r"(tools\[\d+\])\.function", r"\1"),
    (r"max_tokens", "max_output_tokens"),
    (r"reasoning_effort", "reasoning.effort"),
    (r"verbosity", "text.verbosity"),
    (r"^messages", "input"),
    (r"^logprobs$", "include"),
)


def translate(body: ResponsesRequest, target: Target, facts: RouteFacts, request_id: str, limits: Limits) -> GenerationRequest:
    """The request as the cascade sees it; raises InvalidRequest or UnsupportedParameter naming the field of this endpoint."""
    _answered(body.input, body.earlier if isinstance(body, Resumed) else 0)
    try:
        return chat.translate(as_chat(body), target, facts, request_id, limits)
    except InvalidRequest as error:
        raise named(error) from error


def named(error: SmallfirstError) -> SmallfirstError:
    """An error in this endpoint's names of fields."""
    if not isinstance(error, InvalidRequest):
        return error
    return type(error)(_renamed(error.message), param=error.param and _renamed(error.param))


def as_chat(body: ResponsesRequest) -> ChatRequest:
    """The same request for the chat endpoint."""
    text, reasoning = body.text or TextOptions(), body.reasoning
    return ChatRequest.model_construct(
        **{name: getattr(body, name) for name in (*_SAME, *_SAME_TOO)},
        messages=_messages(body),
        tools=None if body.tools is None else [_tool(tool) for tool in body.tools],
        tool_choice=_choice(body),
        response_format=_format(text),
        max_completion_tokens=body.max_output_tokens,
        logprobs=True if wants_logprobs(body) else None,
        top_logprobs=body.top_logprobs if wants_logprobs(body) else None,
        reasoning_effort=reasoning.effort if reasoning else None,
        verbosity=text.verbosity,
    )


def wants_logprobs(body: ResponsesRequest) -> bool:
    """Whether the answer's text is to carry log-probabilities."""
    return LOGPROBS in (body.include or ()) or bool(body.top_logprobs)


def _renamed(text: str) -> str:
    for pattern, name in _RENAMED:
        text = re.sub(pattern, name, text)
    return text


def _answered(given: str | Sequence[InputItem], earlier: int) -> None:
    called: set[str] = set()
    for index, item in enumerate(() if isinstance(given, str) else given):
        if isinstance(item, InputCall):
            called.add(item.call_id)
        elif isinstance(item, InputOutput) and item.call_id not in called:
            param = f"input[{index - earlier}].call_id"
            raise InvalidRequest(f"{param}: no earlier item is a function_call of this id", param=param)


def _messages(body: ResponsesRequest) -> list[AnyMessage]:
    said: list[AnyMessage] = [InstructionMessage(role="system", content=body.instructions)] if body.instructions else []
    if isinstance(body.input, str):
        return [*said, UserMessage(role="user", content=body.input)]
    for item in body.input:
        match item:
            case InputMessage():
                said.append(_message(item))
            case InputCall():
                said[-1:] = _with_call(said[-1:], item)
            case InputOutput(output=output):
                content = output if isinstance(output, str) else [*map(_part, output)]
                said.append(ToolMessage.model_construct(role="tool", content=content, tool_call_id=item.call_id, name=None))
    return said


def _message(item: InputMessage) -> AnyMessage:
    given = item.content
    if item.role == "assistant":
        return AssistantMessage.model_construct(role="assistant", content=given if isinstance(given, str) else [*map(_part, given)])
    if item.role == "user":
        return UserMessage.model_construct(role="user", content=given if isinstance(given, str) else [*map(_part, given)])
    return InstructionMessage(role=item.role, content=given if isinstance(given, str) else _text(given))


def _with_call(before: list[AnyMessage], item: InputCall) -> list[AnyMessage]:
    """Calls that follow one another, or the text of the same turn, are one message of the assistant."""
    call = Call(id=item.call_id, function=CalledFunction(name=item.name, arguments=item.arguments))
    match before:
        case [AssistantMessage() as turn]:
            return [turn.model_copy(update={"tool_calls": [*(turn.tool_calls or ()), call]})]
        case _:
            return [*before, AssistantMessage(role="assistant", tool_calls=[call])]


def _text(parts: Iterable[InputPart]) -> str:
    """The text of parts where nothing else may stand."""
    texts = [part.text if isinstance(part, InputText) else None for part in parts]
    if None in texts:
        raise InvalidRequest("input: instructions are text", param="input")
    return "".join(filter(None, texts))


def _part(part: InputPart) -> TextPart | RefusalPart | ImagePart | FilePart:
    match part:
        case InputText():
            return TextPart(type="text", text=part.text)
        case Refusal():
            return RefusalPart(type="refusal", refusal=part.refusal)
        case InputImage():
            return ImagePart(type="image_url", image_url=ImageURL(url=part.image_url, detail=part.detail))
        case InputFile():
            return FilePart(type="file", file=FileData(file_data=part.file_data, filename=part.filename))


def _tool(tool: ResponseTool) -> OfferedTool:
    named = FunctionTool(name=tool.name, description=tool.description, parameters=tool.parameters, strict=tool.strict)
    return OfferedTool(type="function", function=named)


def _choice(body: ResponsesRequest) -> Choosing | None:
    match body.tool_choice:
        case ChosenTool(name=name):
            return _named(name)
        case AllowedTools(mode=mode, tools=tools):
            allowed = AllowedInChat(mode=mode, tools=[_named(tool.name) for tool in tools])
            return AllowedChoice(type="allowed_tools", allowed_tools=allowed)
        case choice:
            return choice


def _named(name: str) -> NamedTool:
    return NamedTool(type="function", function=NamedFunction(name=name))


def _format(text: TextOptions) -> Format | None:
    match text.format:
        case ResponseSchema() as given:
            named = NamedSchema(name=given.name, schema=given.schema_, description=given.description, strict=given.strict)
            return SchemaFormat(type="json_schema", json_schema=named)
        case other:
            return other
