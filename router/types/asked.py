"""What is asked: the conversation, the form that the answer must have, and what it may spend."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import field
from typing import Any, Literal, TypeVar

from router.compiled import compiled
from router.types.records import fill, record

Made = TypeVar("Made")

Schema = Mapping[str, object]
"""A JSON Schema, or any JSON object that only passes through."""


Role = Literal["system", "developer", "user", "assistant", "tool"]


@record(frozen=True, slots=True)
class Part:
    """One content part of a message; `payload` holds the client's own JSON of a part that is not text."""

    kind: Literal["text", "image", "audio", "file"]
    text: str = ""
    payload: str = ""


@record(frozen=True, slots=True)
class ToolCall:
    """One call of a function; `arguments` is JSON text, as OpenAI's protocol has it."""

    id: str
    name: str
    arguments: str


@record(frozen=True, slots=True)
class Message:
    """One turn of the conversation."""

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    text: str = field(init=False, compare=False, repr=False)
    """The text parts joined; other modalities are left out."""

    def __post_init__(self) -> None:
        """Once, for engines, features and rules all ask for the text."""
        parts = self.parts
        plain = len(parts) == 1 and parts[0].kind == "text"
        fill(self, "text", parts[0].text if plain else "".join([part.text for part in parts if part.kind == "text"]))


@record(frozen=True, slots=True)
class Tool:
    """A function that the request offers; `parameters` is the JSON Schema of its arguments."""

    name: str
    parameters: Schema
    description: str = ""
    strict: bool = False


@record(frozen=True, slots=True)
class ToolChoice:
    """`named` restricts the calls to `names` and demands at least one."""

    mode: Literal["auto", "none", "required", "named"] = "auto"
    names: tuple[str, ...] = ()


@record(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; `None` leaves the engine its default. `extra` holds engine-specific fields as (name, JSON text)."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    n: int = 1
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    extra: tuple[tuple[str, str], ...] = ()


ContractKind = Literal["none", "json_object", "json_schema", "regex", "choice", "grammar", "tools"]


@record(frozen=True, slots=True)
class Contract:
    """What the answer must look like; compiled once by `router.contract`, obeyed by engines, checked by verifiers.

    `text` is the canonical JSON of `schema` (kinds json_object, json_schema, tools), the pattern (regex) or the grammar; two contracts
    with the same text are equal and share one compiled validator. Under `tools` the schema is the one of the whole answer: an object
    with `tool_calls` or `message`; `form` is the JSON that a message must be, `None` where it is prose.
    """

    kind: ContractKind = "none"
    text: str = ""
    schema: Schema | None = field(default=None, compare=False)
    name: str = ""
    choices: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = field(default=(), compare=False)
    tool_choice: ToolChoice = ToolChoice()
    parallel: bool = True
    strict: bool = False
    form: Contract | None = None
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __hash__(self) -> int:
        """Of its text, whose hash is kept: contracts are looked up many times a request."""
        return hash(self.text)

    @compiled("asked")
    def once(self, name: Hashable, make: Callable[[Contract], Made]) -> Made:
        """What `make` gives for it, made once as long as it lives: clients send the same contract again and again.

        The names must be few, for a contract may live as long as the process.
        """
        if name not in self._made:
            self._made[name] = make(self)
        made: Made = self._made[name]
        return made


@record(frozen=True, slots=True)
class Violation:
    """One way in which an answer breaks its contract; `path` is a JSON pointer, "" for the whole."""

    path: str
    message: str


@record(frozen=True, slots=True)
class Budget:
    """What one request may spend: dollars, seconds from its arrival, attempts; `None` is no limit."""

    max_cost: float | None = None
    deadline: float | None = None
    max_attempts: int | None = None


@record(frozen=True, slots=True)
class GenerationRequest:
    """One request as the cascade sees it, validated.

    `pinned` names the only tier that may answer, `tiers` those that may be used for it at all (`None`: all of the route's), `target` a
    stricter target of the route (`None`: the route's own); `metadata` is the client's own, `owner` the name of the key that it came with
    ("" where everyone may ask).
    """

    id: str
    route: str
    messages: tuple[Message, ...]
    contract: Contract = Contract()
    sampling: Sampling = Sampling()
    budget: Budget = Budget()
    pinned: str | None = None
    stream: bool = False
    inside_only: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    owner: str = ""
    tiers: frozenset[str] | None = None
    target: str | None = None

    @property
    @compiled("asked")
    def modalities(self) -> frozenset[str]:
        """What a tier must be able to read."""
        return frozenset(["text", *[part.kind for message in self.messages for part in message.parts]])
