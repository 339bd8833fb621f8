"""The options of one engine, checked at start-up."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from router.types import ContractKind
from server.engines.prompt import Form

FlavourName = Literal["vllm", "sglang", "trtllm", "llamacpp", "ollama", "openai"]
Seconds = Annotated[float, Field(gt=0)]


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _plain_url(url: str) -> str:
    if not url.isascii() or " " in url:
        raise ValueError("must be ASCII without spaces: percent-encode its path, and write its host in punycode")
    parts = urlsplit(url)
    if parts.port == 0 or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https address")
    if parts.username or parts.password:
        raise ValueError("must not hold credentials: name an environment variable in api_key_env")
    if parts.query or parts.fragment:
        raise ValueError("must not have a query or a fragment")
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_plain_url)]


class Timeouts(BaseModel):
    """Seconds: to connect, of silence within a stream, and for a whole call; a complete answer's silence is bounded by `total` alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect: Seconds = 5.0
    read: Seconds = 120.0
    total: Seconds = 600.0


class ModelOptions(BaseModel):
    """How a model is spoken to, wherever its server came from.

    `supports` overrides the forms of answer that the flavour can be held to; `logprobs` says whether the server reports log-probabilities
    before or after the grammar mask, where it is set up otherwise than the flavour's default; `processed` ones are those after temperature
    and sampling filters too, which say something of the model only where it decodes greedily. `embeddings` says that the server makes
    vectors too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    tools: Literal["schema", "native"] = "schema"
    tools_prompt: Form = "full"
    timeouts: Timeouts = Timeouts()
    max_connections: int = Field(default=256, ge=1)
    max_response_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    retries: int = Field(default=2, ge=0, le=10)
    context: int | None = Field(default=None, ge=1)
    supports: frozenset[ContractKind] | None = None
    logprobs: Literal["before", "after", "processed"] | None = None
    embeddings: bool = False


class OpenAIOptions(ModelOptions):
    """How to reach one model; several addresses in `base_url` are replicas of it, each ending as clients write it (`/v1`).

    `api_key_env` names an environment variable.
    """

    name: str
    base_url: Annotated[tuple[Url, ...], BeforeValidator(_listed), Field(min_length=1)]
    api_key_env: str | None = None
    flavour: FlavourName = "vllm"
