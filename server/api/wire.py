"""The body of a chat request: every parameter of OpenAI's reference is used, passed to the engine, or refused by its name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from server.api.messages import JSON, AnyMessage, No, Wire, Yes

Unit = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Bias = Annotated[float, Field(ge=-100, le=100)]
TokenId = Annotated[str, Field(pattern=r"^\d{1,9}$")]
StopText = Annotated[str, Field(min_length=1, max_length=256)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Text = Annotated[str, Field(min_length=1)]
TokenLimit = Annotated[int, Field(ge=1, lt=2**31)]
Token = Annotated[int, Field(ge=0, lt=2**31)]
MetadataKey = Annotated[str, Field(max_length=64)]
MetadataValue = Annotated[str, Field(max_length=512)]


class FunctionTool(Wire):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: JSON | None = None
    strict: bool | None = None


class OfferedTool(Wire):
    """A tool; of OpenAI's kinds only functions."""

    type: Literal["function"]
    function: FunctionTool


class NamedFunction(Wire):
    """A function by its name."""

    name: str


class NamedTool(Wire):
    """The one tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class AllowedTools(Wire):
    """The tools that may be called, of those offered."""

    mode: Literal["auto", "required"]
    tools: list[NamedTool] = Field(min_length=1)


class AllowedChoice(Wire):
    """A choice among some of the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


Choosing = Literal["none", "auto", "required"] | Annotated[NamedTool | AllowedChoice, Field(discriminator="type")]


class TextFormat(Wire):
    """Any text."""

    type: Literal["text"]


class ObjectFormat(Wire):
    """Any JSON object; with a schema, as llama.cpp and some hosted APIs have it, one that the schema accepts."""

    type: Literal["json_object"]
    schema_: JSON | None = Field(default=None, alias="schema")


class NamedSchema(Wire):
    """A JSON Schema with its name; pydantic reserves the field's own name."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    schema_: JSON | None = Field(default=None, alias="schema")
    description: str | None = None
    strict: bool | None = None


class SchemaFormat(Wire):
    """JSON that this schema accepts."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


Format = Annotated[TextFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]


class StructuredOutputs(Wire):
    """vLLM's own way to demand a form: exactly one of these."""

    json_: JSON | str | None = Field(default=None, alias="json")
    regex: str | None = None
    choice: list[str] | None = Field(default=None, min_length=1)
    grammar: str | None = None
    json_object: Yes | None = None
    structural_tag: None = None
    whitespace_pattern: None = None
    disable_any_whitespace: No | None = None
    disable_additional_properties: No | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> StructuredOutputs:
        if sum(value is not None for value in (self.json_, self.regex, self.choice, self.grammar, self.json_object)) != 1:
            raise ValueError("give exactly one of json, regex, choice, grammar and json_object")
        return self


class StreamOptions(Wire):
    """`include_usage` asks for one more chunk with the usage; nothing here is padded against traffic analysis."""

    include_usage: bool | None = None
    include_obfuscation: No | None = None


class Generating(Wire):
    """What all generating endpoints share."""

    model: str = Field(min_length=1, max_length=256)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: Unit | None = None
    user: str | None = None
    top_k: int | None = None
    min_p: Unit | None = None
    repetition_penalty: float | None = Field(default=None, gt=0)
    min_tokens: int | None = Field(default=None, ge=0)
    ignore_eos: bool | None = None
    stop_token_ids: list[Token] | None = None
    allowed_token_ids: Annotated[list[Token], Field(min_length=1)] | None = None
    bad_words: list[Text] | None = None
    include_stop_str_in_output: bool | None = None
    skip_special_tokens: bool | None = None
    spaces_between_special_tokens: bool | None = None
    thinking_token_budget: int | None = Field(default=None, ge=0)
    include_reasoning: bool | None = None
    cache_salt: Text | None = None
    mm_processor_kwargs: JSON | None = None

    @property
    def include_usage(self) -> bool:
        """Whether the stream ends with a chunk of the usage."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def extra(self) -> dict[str, object]:
        """What only some engines know."""
        given = PASSED & self.__pydantic_fields_set__
        return {name: value for name in sorted(given) if (value := getattr(self, name)) is not None} if given else {}


class Common(Generating):
    """What chat and plain completions share."""

    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: dict[TokenId, Bias] | None = None
    n: int | None = Field(default=None, ge=1)
    seed: Seed | None = None
    stop: StopText | Annotated[list[StopText], Field(max_length=32)] | None = None
    structured_outputs: StructuredOutputs | None = None


class ChatRequest(Common):
    """`POST /v1/chat/completions`."""

    messages: list[AnyMessage] = Field(min_length=1)
    max_completion_tokens: TokenLimit | None = None
    max_tokens: TokenLimit | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[OfferedTool] | None = None
    tool_choice: Choosing | None = None
    parallel_tool_calls: bool | None = None
    response_format: Format | None = None
    metadata: dict[MetadataKey, MetadataValue] | None = Field(default=None, max_length=16)
    modalities: list[Literal["text"]] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    chat_template_kwargs: JSON | None = None
    safety_identifier: str | None = Field(default=None, max_length=64)
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    store: No | None = None
    audio: None = None
    function_call: None = None
    functions: None = None
    moderation: None = None
    prediction: None = None
    prompt_cache_options: None = None
    prompt_cache_retention: Literal["24h"] | None = None
    web_search_options: None = None


class CompletionRequest(Common):
    """`POST /v1/completions`: one prompt as one user message; token ids and the echo of prompts are for base models."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]
    max_tokens: TokenLimit | None = None
    best_of: Literal[1] | None = None
    echo: No | None = None
    logprobs: None = None
    suffix: None = None

    @property
    def text(self) -> str:
        """The prompt."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]


class EmbeddingRequest(Wire):
    """Texts; token ids belong to one tokenizer, and a route may have several."""

    model: str = Field(min_length=1, max_length=256)
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=2048)]
    dimensions: int | None = Field(default=None, ge=1)
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, one or many."""
        return (self.input,) if isinstance(self.input, str) else tuple(self.input)


SAMPLERS = frozenset(
    (
        *("top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos", "stop_token_ids", "allowed_token_ids", "bad_words"),
        *("include_stop_str_in_output", "skip_special_tokens", "spaces_between_special_tokens", "thinking_token_budget"),
        *("include_reasoning", "cache_salt", "mm_processor_kwargs"),
    )
)
"""The passed parameters that every generating endpoint has."""

PASSED = SAMPLERS | {"reasoning_effort", "verbosity", "chat_template_kwargs"}
"""Passed to engines that know them, refused where an engine of the route does not."""

INERT = ("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "metadata", "service_tier", "modalities", "store")
"""Of these only the values that change nothing about the answer are accepted."""
