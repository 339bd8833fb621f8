"""The nouns: frozen records that every other module speaks in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from functools import reduce
from typing import Literal, NamedTuple, get_args

Schema = Mapping[str, object]
"""A JSON Schema, or any JSON object that only passes through."""

Role = Literal["system", "developer", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Reason = Literal[
    "contract",
    "function",
    "confidence",
    "grounded",
    "agreement",
    "judge",
    "rule",
    "guard",
    "abstain",
    "length",
    "engine_error",
    "timeout",
    "context",
    "modality",
    "gate",
    "breaker_open",
    "residency",
]
"""Why a draft was not kept or a tier not tried: the closed set that headers, metrics and logs share."""


class Ruling(Enum):
    """What a verifier says of a draft; the two abstentions differ: `UNABLE` should have ruled and could not."""

    ACCEPT = "accept"
    DEFER = "defer"
    NOT_APPLICABLE = "not_applicable"
    UNABLE = "unable"


class Evidence(Flag):
    """What an engine must return for the scores in use."""

    NONE = 0
    LOGPROBS = auto()
    SAMPLES = auto()


@dataclass(frozen=True, slots=True)
class Part:
    """One content part of a message; `payload` holds the client's own JSON of a part that is not text."""

    kind: Literal["text", "image", "audio", "file"]
    text: str = ""
    payload: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a function; `arguments` is JSON text, as OpenAI's protocol has it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation."""

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """The text parts joined; other modalities are left out."""
        return "".join(part.text for part in self.parts if part.kind == "text")


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the request offers; `parameters` is the JSON Schema of its arguments."""

    name: str
    parameters: Schema
    description: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`named` restricts the calls to `names` and demands at least one."""

    mode: Literal["auto", "none", "required", "named"] = "auto"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which an answer breaks its contract; `path` is a JSON pointer, "" for the whole."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Budget:
    """What one request may spend: dollars, seconds from its arrival, attempts; `None` is no limit."""

    max_cost: float | None = None
    deadline: float | None = None
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
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
    def modalities(self) -> frozenset[str]:
        """What a tier must be able to read."""
        return frozenset(part.kind for message in self.messages for part in message.parts) | {"text"}


EnergyMethod = Literal["nvml", "dcgm", "rapl", "estimated"]
"""How joules became known, from the surest to the least sure."""


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules, and how they became known."""

    joules: float
    method: EnergyMethod

    def __add__(self, other: Energy) -> Energy:
        """A sum is only as sure as the least sure of its parts."""
        return Energy(self.joules + other.joules, max(self.method, other.method, key=get_args(EnergyMethod).index))


def together(parts: Iterable[Energy | None]) -> Energy | None:
    """Their sum; `None` where any of them is unknown, or where there are none."""
    given = tuple(parts)
    known = [part for part in given if part is not None]
    return reduce(Energy.__add__, known) if known and len(known) == len(given) else None


@dataclass(slots=True)
class Receipt:
    """What a call took by the meters of its engine, written when it ends; `None` where there is no meter. `dollars` are of machine time."""

    energy: Energy | None = None
    dollars: float | None = None


@dataclass(frozen=True, slots=True)
class EngineCall:
    """What an engine is asked: `messages` are those of the request, or longer on a repair; `live` wants chunks as they come.

    A `guide` stands first in the prompt, in place of the engine's own words on tools and schemas.
    `seconds` is the time left for the whole call, `None` for the engine's own limit. Whoever meters the engine fills in the `receipt`.
    """

    request_id: str
    messages: tuple[Message, ...]
    contract: Contract = Contract()
    sampling: Sampling = Sampling()
    evidence: Evidence = Evidence.NONE
    live: bool = False
    seconds: float | None = None
    guide: str = ""
    receipt: Receipt = field(default_factory=Receipt, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the engine counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """Texts to be embedded; `dimensions` shortens the vectors, `None` leaves them as the model makes them."""

    request_id: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each text, in order."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage


@dataclass(slots=True)
class Tab:
    """What others were asked and took so far: it is owed although nobody waits for what they say any more. `cost` is in dollars."""

    cost: float = 0.0
    usage: Usage = field(default=Usage())
    energies: list[Energy | None] = field(default_factory=list)

    def add(self, cost: float, usage: Usage | None = None, energy: Energy | None = None) -> None:
        """One question more; only what was asked of a model has a usage, and maybe an energy."""
        self.cost += cost
        if usage is not None:
            self.usage += usage
            self.energies.append(energy)


class Alternative(NamedTuple):
    """Another token that could have stood at a position, with its natural-log probability before the grammar mask.

    A tuple, for an answer has hundreds of them, and this is the type that is made fastest.
    """

    text: str
    logprob: float
    admissible: bool | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token.

    `logprob` is the natural-log probability under the distribution it was drawn from (after a grammar mask, if any), `raw_logprob`
    before the mask; `free` says whether the grammar admitted more than one token. Each is `None` where the engine does not say.
    """

    text: str
    logprob: float | None = None
    raw_logprob: float | None = None
    free: bool | None = None
    top: tuple[Alternative, ...] = ()
    masked_top: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One finished answer of an engine, in the contract's own form: tool calls stand in `text` as the compiled JSON."""

    text: str
    finish_reason: FinishReason
    tokens: tuple[Token, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """What one attempt of an engine gave: `choices` for the client (n of them), `samples` only for scores."""

    choices: tuple[Choice, ...]
    usage: Usage
    samples: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a running generation; the last one of choice `index` has its finish reason, `usage` is all so far."""

    index: int = 0
    text: str = ""
    tokens: tuple[Token, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens, or, where `hour` is given, per hour of the machine that the calls share."""

    prompt: float = 0.0
    completion: float = 0.0
    hour: float | None = None

    def of(self, usage: Usage, receipt: Receipt | None = None) -> float:
        """Dollars for the usage; by the hour they are what the receipt says, 0.0 where the machine's time was not metered."""
        if self.hour is not None:
            return 0.0 if receipt is None else receipt.dollars or 0.0
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / 1e6


@dataclass(frozen=True, slots=True)
class SchemaFirst:
    """How a tier's prompt begins with the form of the answer: with so many examples of the registry, and of answers that were proven."""

    examples: int = 0
    proven: int = 0


@dataclass(frozen=True, slots=True)
class Tier:
    """One rung of a route; rungs are ordered by their place in the route.

    `context` is in tokens; of more than `keep_tools` tools only the likeliest are shown to this tier, unless it is the last. `languages`
    are those that it knows (`None`: all), by their ISO 639-1 codes.
    """

    name: str
    engine: str
    price: Price = Price()
    context: int | None = None
    modalities: frozenset[str] = frozenset({"text"})
    location: Literal["inside", "outside"] = "inside"
    keep_tools: int | None = None
    languages: frozenset[str] | None = None
    schema_first: SchemaFirst | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished choice that a verifier is asked about, with the request that it answers; what a verifier spends it puts on the `tab`."""

    request: GenerationRequest
    tier: str
    choice: Choice
    samples: tuple[Choice, ...] = ()
    repairs: int = 0
    last: bool = False
    tab: Tab = field(default_factory=Tab, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Skip:
    """A tier that is not tried for this request, and why."""

    tier: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """Where to start and which rungs are open: the permitted tiers in order, those passed over, and a sentence for people."""

    permitted: tuple[str, ...]
    skipped: tuple[Skip, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one verifier said of one draft; `confidence` is P(correct) where it has one, `cost` in dollars.

    A deferral that is `repairable` names violations that the same tier may mend when it is told of them. `features` are the named numbers
    that a learned confidence was made of.
    """

    verifier: str
    ruling: Ruling
    reason: str = ""
    confidence: float | None = None
    cost: float = 0.0
    violations: tuple[Violation, ...] = ()
    score: float | None = None
    usage: Usage = field(default=Usage())
    energy: Energy | None = None
    repairable: bool = False
    features: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An engine's error as a value."""

    code: str
    message: str
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """One generation on one tier with what was said of it; `deferral` is why it was not kept, `None` if it was.

    It began `began` seconds after its request arrived and took `seconds`; `energy` is the generation's alone, verdicts have their own.
    `at_fault` is the choice that was not kept.
    """

    tier: str
    kind: Literal["try", "repair"]
    generation: Generation | None
    failure: Failure | None = None
    verdicts: tuple[Verdict, ...] = ()
    deferral: Reason | None = None
    seconds: float = 0.0
    usage: Usage = Usage()
    cost: float = 0.0
    energy: Energy | None = None
    cancelled: bool = False
    began: float = 0.0
    at_fault: int = 0

    @property
    def joules(self) -> float | None:
        """Of the generation; `None` where nothing measured them."""
        return None if self.energy is None else self.energy.joules

    @property
    def confidence(self) -> float | None:
        """The last calibrated confidence any verifier gave."""
        return next((v.confidence for v in reversed(self.verdicts) if v.confidence is not None), None)

    @property
    def satisfies_contract(self) -> bool:
        """Whether no hard gate (contract, function, guard) objected; such an answer may serve as the best one seen."""
        hard = [v for v in self.verdicts if v.verifier in HARD_GATES]
        return self.generation is not None and all(v.ruling in (Ruling.ACCEPT, Ruling.NOT_APPLICABLE) for v in hard)

    @property
    def violations(self) -> tuple[Violation, ...]:
        return tuple(violation for v in self.verdicts for violation in v.violations)


HARD_GATES = frozenset({"contract", "function", "guard"})
"""Verifiers that rule on the last permitted tier too."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that happened to one request: the one record that metrics, logs, store and answer observe."""

    request_id: str
    route: str
    decision: Decision
    attempts: tuple[Attempt, ...]
    answer: int | None
    code: str = "ok"
    seconds: float = 0.0
    first_token_seconds: float | None = None
    extra_cost: float = 0.0
    stream: bool = False

    @property
    def kept(self) -> Attempt | None:
        """The attempt whose text the client got."""
        return None if self.answer is None else self.attempts[self.answer]

    @property
    def cost(self) -> float:
        """Dollars of everything: attempts, verifiers, repairs, and what was added afterwards."""
        return self.extra_cost + sum(a.cost + sum(v.cost for v in a.verdicts) for a in self.attempts)

    @property
    def usage(self) -> Usage:
        """Tokens of all attempts."""
        return sum((a.usage for a in self.attempts), Usage())

    @property
    def all_tokens(self) -> int:
        """Tokens of all attempts and of the verifiers that asked a model."""
        judged = sum(verdict.usage.total_tokens for attempt in self.attempts for verdict in attempt.verdicts)
        return self.usage.total_tokens + judged

    @property
    def deferrals(self) -> tuple[Reason, ...]:
        """Reasons in the order they arose, skipped tiers first."""
        return (*(s.reason for s in self.decision.skipped), *(a.deferral for a in self.attempts if a.deferral is not None))

    @property
    def energy(self) -> Energy | None:
        """Of all attempts and of the verifiers that asked a model, `None` where any of them went unmeasured."""
        return together(part for attempt in self.attempts for part in _energies(attempt))

    @property
    def joules(self) -> float | None:
        """The same without how it became known."""
        return None if (energy := self.energy) is None else energy.joules


def _energies(attempt: Attempt) -> tuple[Energy | None, ...]:
    asked = (verdict.energy for verdict in attempt.verdicts if verdict.energy is not None or verdict.usage.total_tokens)
    return (attempt.energy, *asked)
