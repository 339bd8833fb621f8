"""How the servers that speak OpenAI's protocol differ: each flavour is a record of facts and small pure functions.

What they follow: vLLM (`structured_outputs`; the grammar mask is laid over the logits before the sampler, so under a contract even
`raw_logprobs` are those after the mask, masked tokens shown as -9999, and before temperature; `processed_logprobs` are after that too),
SGLang (`regex`, `ebnf`), TensorRT-LLM (`response_format` of type regex and ebnf), llama.cpp (`grammar` in GBNF; log-probabilities from
before the grammar), Ollama (its compatible endpoint turns `response_format` into `format`; log-probabilities from before the grammar),
OpenAI's own API.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from router.contract import constrain
from router.types import Contract, ContractKind
from server.engines.openai.options import FlavourName

Fields = dict[str, object]
"""JSON fields to add to a request."""

Mask = Literal["before", "after"]
"""Whether log-probabilities are those before or after the grammar mask."""
Stage = Mask | Literal["processed"]
"""What log-probabilities are taken of: those processed are after the mask, after temperature and after top_k and its like."""

_JSON_KINDS: frozenset[ContractKind] = frozenset({"none", "json_object", "json_schema", "tools"})
_ALL_KINDS: frozenset[ContractKind] = _JSON_KINDS | {"regex", "choice", "grammar"}
_OWN = frozenset({"reasoning_effort", "user"})
_SAMPLERS = frozenset({"top_k", "min_p", "repetition_penalty", "min_tokens", "stop_token_ids", "ignore_eos", "skip_special_tokens"})


@dataclass(frozen=True, slots=True)
class Flavour:
    """One kind of server.

    `form` gives the fields that hold an answer to a contract of one of `kinds`; `extras` are the further fields that pass; `lacks` the
    fields of OpenAI's protocol that the server would drop in silence; `mask` is where its log-probabilities stand, `None` where nobody
    says; `formed_tools` says that it takes tools and a form of JSON together, as OpenAI does; `health` is a path from the server's root, or
    from the base address where it does not start with a slash; `counts_along` says that the chunks of a stream can tell the usage so far
    (of one choice, so it is asked for where there is one), `traced` that the client's trace goes on in the server.
    """

    name: FlavourName
    form: Callable[[Contract], Fields]
    kinds: frozenset[ContractKind]
    extras: frozenset[str] = _OWN
    lacks: frozenset[str] = frozenset()
    mask: Mask | None = None
    most_top: int = 20
    length_field: str = "max_tokens"
    developer: bool = False
    health: str = "/health"
    streams_tool_logprobs: bool = True
    formed_tools: bool = False
    counts_along: bool = False
    traced: bool = True


def response_format(contract: Contract) -> Fields:
    """The two JSON forms that every server knows: `json_object` and `json_schema`."""
    if contract.kind == "json_object":
        return {"response_format": {"type": "json_object"}}
    described = {"name": contract.name or "answer", "schema": constrain(contract), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def vllm(contract: Contract) -> Fields:
    """vLLM's `structured_outputs` for what `response_format` cannot say."""
    match contract.kind:
        case "none":
            return {}
        case "regex" | "grammar":
            return {"structured_outputs": {contract.kind: contract.text}}
        case "choice":
            return {"structured_outputs": {"choice": list(contract.choices)}}
        case _:
            return response_format(contract)


def sglang(contract: Contract) -> Fields:
    """SGLang's `regex` and `ebnf`."""
    match contract.kind:
        case "none":
            return {}
        case "regex":
            return {"regex": contract.text}
        case "grammar":
            return {"ebnf": contract.text}
        case "choice":
            return {"ebnf": alternatives(contract.choices)}
        case _:
            return response_format(contract)


def trtllm(contract: Contract) -> Fields:
    """TensorRT-LLM's further types of `response_format`."""
    match contract.kind:
        case "none":
            return {}
        case "regex":
            return {"response_format": {"type": "regex", "regex": contract.text}}
        case "grammar":
            return {"response_format": {"type": "ebnf", "ebnf": contract.text}}
        case "choice":
            return {"response_format": {"type": "ebnf", "ebnf": alternatives(contract.choices)}}
        case "json_object":
            return response_format(contract)
        case _:
            return {"response_format": {"type": "json_schema", "json_schema": constrain(contract)}}


def llamacpp(contract: Contract) -> Fields:
    """llama.cpp's `grammar`; it has no regular expressions."""
    match contract.kind:
        case "none":
            return {}
        case "grammar":
            return {"grammar": contract.text}
        case "choice":
            return {"grammar": alternatives(contract.choices)}
        case _:
            return response_format(contract)


def json_only(contract: Contract) -> Fields:
    """Ollama's form: JSON or nothing."""
    return {} if contract.kind == "none" else response_format(contract)


def hosted(contract: Contract) -> Fields:
    """OpenAI's own: `strict` refuses most schemas, so it is asked for only where the client did."""
    if contract.kind != "json_schema" and contract.kind != "tools":
        return json_only(contract)
    described = {"name": contract.name or "answer", "schema": constrain(contract), "strict": contract.strict}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def alternatives(choices: tuple[str, ...]) -> str:
    """A grammar in GBNF that admits exactly these texts."""
    return "root ::= " + " | ".join(_literal(choice) for choice in choices)


def _literal(text: str) -> str:
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return f"\\x{ord(letter):02X}" if ord(letter) < 32 else letter


def _fields(names: str) -> frozenset[str]:
    return frozenset(names.split())


_VLLM = _fields(
    """length_penalty include_stop_str_in_output spaces_between_special_tokens bad_words allowed_token_ids priority truncate_prompt_tokens
    include_reasoning thinking_token_budget cache_salt vllm_xargs mm_processor_kwargs chat_template_kwargs"""
)
_SGLANG = _fields("chat_template_kwargs stop_regex no_stop_trim separate_reasoning priority custom_params cache_salt")
_TRTLLM = _fields("chat_template_kwargs length_penalty include_stop_str_in_output spaces_between_special_tokens cache_salt")
_LLAMACPP = _fields(
    """chat_template_kwargs top_k min_p repeat_penalty repeat_last_n typical_p xtc_probability xtc_threshold dry_multiplier dry_base
    dry_allowed_length mirostat mirostat_tau mirostat_eta samplers cache_prompt ignore_eos dynatemp_range dynatemp_exponent
    reasoning_format"""
)
_OPENAI = _fields("verbosity service_tier store metadata prediction safety_identifier prompt_cache_key prompt_cache_retention")

FLAVOURS: Mapping[FlavourName, Flavour] = MappingProxyType(
    {
        "vllm": Flavour("vllm", vllm, _ALL_KINDS, _OWN | _SAMPLERS | _VLLM, mask="after", counts_along=True),
        "sglang": Flavour("sglang", sglang, _ALL_KINDS, _OWN | _SAMPLERS | _SGLANG, mask="after"),
        "trtllm": Flavour("trtllm", trtllm, _ALL_KINDS, _OWN | _SAMPLERS | _TRTLLM, mask="after"),
        "llamacpp": Flavour(
            "llamacpp",
            llamacpp,
            _ALL_KINDS - {"regex"},
            _OWN | _LLAMACPP,
            lacks=frozenset({"n"}),
            mask="before",
            streams_tool_logprobs=False,
        ),
        "ollama": Flavour(
            "ollama",
            json_only,
            _JSON_KINDS,
            _fields("reasoning_effort reasoning"),
            lacks=frozenset({"n", "logit_bias"}),
            mask="before",
            health="models",
        ),
        "openai": Flavour(
            "openai",
            hosted,
            _JSON_KINDS,
            _OWN | _OPENAI,
            length_field="max_completion_tokens",
            developer=True,
            formed_tools=True,
            health="models",
            traced=False,
        ),
    }
)
