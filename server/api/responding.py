"""The body of `POST /v1/responses`: every parameter of OpenAI's reference is used, passed, or refused by its name."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from server.api.messages import JSON, MediaURL, No, Wire
from server.api.wire import Generating, MetadataKey, MetadataValue, ObjectFormat, StreamOptions, TextFormat, TokenLimit


class InputText(Wire):
    """Text, of whoever said it; what an answer carried beside its text may come back with it."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: list[JSON] | None = None
    logprobs: list[JSON] | None = None
    parsed: Any = None
    prompt_cache_breakpoint: None = None


class Refusal(Wire):
    """A refusal the assistant gave earlier."""

    type: Literal["refusal"]
    refusal: str


class InputImage(Wire):
    """An image by address or as a data URL; uploaded files are not known here."""

    type: Literal["input_image"]
    image_url: MediaURL
    detail: Literal["auto", "low", "high", "original"] | None = None
    file_id: None = None
    prompt_cache_breakpoint: None = None


class InputFile(Wire):
    """A file as base64 with its name."""

    type: Literal["input_file"]
    file_data: str
    filename: str | None = None
    file_id: None = None
    file_url: None = None
    detail: None = None
    prompt_cache_breakpoint: None = None


OutputPart = Annotated[InputText | InputImage | InputFile, Field(discriminator="type")]
InputPart = Annotated[InputText | Refusal | InputImage | InputFile, Field(discriminator="type")]
Status = Literal["in_progress", "completed", "incomplete"]


class InputMessage(Wire):
    """A message of any role; the answers of earlier turns come back in this form too."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Annotated[list[InputPart], Field(min_length=1)]
    id: str | None = None
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class InputCall(Wire):
    """A function call the assistant made earlier."""

    type: Literal["function_call"]
    call_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    arguments: str
    parsed_arguments: JSON | None = None
    id: str | None = None
    status: Status | None = None
    namespace: None = None
    caller: None = None
    async_: No | None = Field(default=None, alias="async")


class InputOutput(Wire):
    """What a called function returned."""

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1)
    output: str | Annotated[list[OutputPart], Field(min_length=1)]
    id: str | None = None
    status: Status | None = None
    caller: None = None
    name: str | None = None
    namespace: None = None


class ItemReference(Wire):
    """An item of a stored response, by its id."""

    type: Literal["item_reference"]
    id: str = Field(min_length=1, max_length=256)


class InputReasoning(Wire):
    """What the assistant thought earlier: clients send it back, no model is shown it."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[JSON] | None = None
    content: list[JSON] | None = None
    encrypted_content: str | None = None
    status: Status | None = None


def _kind(item: object) -> str:
    """The type of an item; a message may leave it out."""
    found = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", "message")
    return found if isinstance(found, str) else ""


InputItem = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[InputCall, Tag("function_call")]
    | Annotated[InputOutput, Tag("function_call_output")]
    | Annotated[InputReasoning, Tag("reasoning")]
    | Annotated[ItemReference, Tag("item_reference")],
    Discriminator(_kind),
]


class ResponseTool(Wire):
    """A tool; of OpenAI's kinds only functions."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: JSON | None = None
    strict: bool | None = None
    defer_loading: No | None = None
    allowed_callers: None = None
    output_schema: None = None
    async_: No | None = Field(default=None, alias="async")


class ChosenTool(Wire):
    """A function by its name."""

    type: Literal["function"]
    name: str


class AllowedTools(Wire):
    """The tools that may be called, of those offered."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[ChosenTool] = Field(min_length=1)


Choosing = Literal["none", "auto", "required"] | Annotated[ChosenTool | AllowedTools, Field(discriminator="type")]


class ResponseSchema(Wire):
    """JSON that this schema accepts; pydantic reserves the field's own name."""

    type: Literal["json_schema"]
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    schema_: JSON = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


class TextOptions(Wire):
    """The form of the text, and how long it should be."""

    format: Annotated[TextFormat | ObjectFormat | ResponseSchema, Field(discriminator="type")] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Wire):
    """How hard to think; `auto` is the best summary that a model has, and of those here none has any: its list is empty."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto"] | None = None
    generate_summary: Literal["auto"] | None = None
    context: None = None
    mode: None = None


class EventOptions(StreamOptions):
    """Nothing here is padded against traffic analysis; the usage stands in the last event anyway."""

    include_usage: None = None


LOGPROBS: Final = "message.output_text.logprobs"
Included = Literal[
    "message.output_text.logprobs",
    "message.input_image.image_url",
    "reasoning.encrypted_content",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
]
"""Images are told as they were given anyway; the others are parts of items that no answer here has."""


class ResponsesRequest(Generating):
    """`POST /v1/responses`; it goes on from a stored response, or brings its whole conversation."""

    input: str | Annotated[list[InputItem], Field(min_length=1)]
    instructions: str | None = None
    max_output_tokens: TokenLimit | None = None
    tools: list[ResponseTool] | None = None
    tool_choice: Choosing | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    previous_response_id: str | None = Field(default=None, min_length=1, max_length=256)
    include: list[Included] | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    metadata: dict[MetadataKey, MetadataValue] | None = Field(default=None, max_length=16)
    stream_options: EventOptions | None = None
    truncation: Literal["disabled"] | None = None
    store: bool | None = None
    background: No | None = None
    service_tier: Literal["auto", "default"] | None = None
    safety_identifier: str | None = Field(default=None, max_length=64)
    prompt_cache_key: str | None = None
    chat_template_kwargs: JSON | None = None
    client_metadata: JSON | None = None
    access_programs: None = None
    context_management: None = None
    conversation: None = None
    image: None = None
    max_tool_calls: None = None
    moderation: None = None
    prompt: None = None
    prompt_cache_options: None = None
    prompt_cache_retention: Literal["24h"] | None = None


class Resumed(ResponsesRequest):
    """A request whose input begins with `earlier` items of the conversation that it goes on with; no reference is left in it."""

    earlier: int = 0
