"""The messages of a chat request as OpenAI's protocol has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

JSON = Mapping[str, object]


class Wire(BaseModel):
    """A piece of a request body: strict types, no unknown fields. A field of type `None` is known and refused unless it is null."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _boolean(given: object) -> object:
    """A number is no boolean, though Python takes 0 for False."""
    if given is not None and not isinstance(given, bool):
        raise PydanticCustomError("bool_type", "Input should be a valid boolean")
    return given


MediaURL = Annotated[str, Field(pattern=r"^(?i:https?://|data:)")]
"""Where a server may look for an image: the web, or the text itself; never its own files."""
No = Annotated[Literal[False], BeforeValidator(_boolean)]
Yes = Annotated[Literal[True], BeforeValidator(_boolean)]


class TextPart(Wire):
    """Text."""

    type: Literal["text"]
    text: str
    prompt_cache_breakpoint: None = None


class Echo(Wire):
    """What else stood in an answer's message: OpenAI's agents for Node send it back within the part; no model is shown it."""

    role: Literal["assistant"] | None = None
    annotations: list[JSON] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[JSON] | None = None


class SaidPart(TextPart, Echo):
    """Text the assistant said earlier."""

    refusal: None = None


class RefusalPart(Echo):
    """A refusal the assistant gave earlier."""

    type: Literal["refusal"]
    refusal: str
    content: None = None


class ImageURL(Wire):
    """An image by address or as a data URL."""

    url: MediaURL
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(Wire):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageURL
    prompt_cache_breakpoint: None = None


class AudioData(Wire):
    """Audio as base64."""

    data: str
    format: Literal["wav", "mp3"]


class AudioPart(Wire):
    """Audio."""

    type: Literal["input_audio"]
    input_audio: AudioData
    prompt_cache_breakpoint: None = None


class FileData(Wire):
    """A file as base64 with its name; uploaded files are not known here."""

    file_data: str
    filename: str | None = None
    file_id: None = None


class FilePart(Wire):
    """A file."""

    type: Literal["file"]
    file: FileData
    prompt_cache_breakpoint: None = None


TextParts = Annotated[list[TextPart], Field(min_length=1)]
UserPart = Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]
UserParts = Annotated[list[UserPart], Field(min_length=1)]
AssistantPart = Annotated[SaidPart | RefusalPart, Field(discriminator="type")]


class CalledFunction(Wire):
    """A function call the assistant made earlier; what OpenAI's client made of the arguments may come back with them."""

    name: str = Field(min_length=1)
    arguments: str
    parsed_arguments: JSON | None = None


class Call(Wire):
    """A tool call the assistant made earlier."""

    id: str = Field(min_length=1)
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None


class InstructionMessage(Wire):
    """What the developer tells the model."""

    role: Literal["system", "developer"]
    content: str | TextParts
    name: str | None = None


class UserMessage(Wire):
    """What the user says."""

    role: Literal["user"]
    content: str | UserParts
    name: str | None = None


class AssistantMessage(Wire):
    """What the assistant said earlier.

    Clients send back what they were given, so the output-only `annotations`, reasoning, and what OpenAI's client `parsed` are accepted; no
    model is shown them. Beside calls they leave the content out, or send null, an empty text or an empty list.
    """

    role: Literal["assistant"]
    content: str | list[AssistantPart] | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    audio: None = None
    function_call: None = None
    annotations: list[JSON] | None = None
    parsed: Any = None
    reasoning: str | None = None
    reasoning_content: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> AssistantMessage:
        if self.content in (None, []) and self.refusal is None and not self.tool_calls:
            raise ValueError("an assistant message needs content or tool_calls")
        return self


class ToolMessage(Wire):
    """What a called function returned: text, or images and files too, as vLLM takes them."""

    role: Literal["tool"]
    content: str | UserParts
    tool_call_id: str = Field(min_length=1)
    name: str | None = None


AnyMessage = Annotated[InstructionMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]
