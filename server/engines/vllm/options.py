"""The options of one supervised vLLM server: what is started, and how the gateway then speaks to it."""

import json
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from server.engines.openai.flavours import Stage
from server.engines.openai.options import ModelOptions, OpenAIOptions
from server.engines.vllm.keeper import SECRET

KEY = "VLLM_API_KEY"
"""The variable from which vLLM reads the key that its callers must show, and the gateway the one that it shows."""

Argument = bool | int | float | str | tuple[str | int | float, ...] | Mapping[str, JsonValue]
RAW = "raw_logprobs"
MODES: Mapping[str, Stage] = {RAW: "after", "processed_logprobs": "processed"}
"""What vLLM's `--logprobs-mode` reports; its other two report logits, of which no score could be made."""
OURS = frozenset({"model", "host", "port", "uds", "served-model-name", "api-key", "ssl-keyfile", "ssl-certfile", "config"})


def _spelt(arguments: Mapping[str, Argument]) -> Mapping[str, Argument]:
    """Names as vLLM's configuration files have them, without dashes before and with dashes within."""
    names = {name: name.strip("-").replace("_", "-") for name in arguments}
    if taken := sorted(OURS & set(names.values())):
        raise ValueError(f"{taken[0]} is set by the gateway")
    found = {names[name]: value for name, value in arguments.items()}
    if (mode := found.get("logprobs-mode", RAW)) not in MODES:
        raise ValueError(f"logprobs-mode: {mode} gives no log-probabilities, which scores need: {' or '.join(MODES)}")
    return found


def _open(environment: Mapping[str, str]) -> Mapping[str, str]:
    if kept := sorted(name for name in environment if SECRET.search(name)):
        raise ValueError(f"{kept[0]} is no setting: set it where the gateway is started, its servers inherit it")
    return environment


class VLLMOptions(ModelOptions):
    """One server: `model` is a folder or a name to download, `arguments` are those of `vllm serve`, named as in its own `--config`.

    True is a flag, false its `--no-` form, a list several values, a mapping one JSON value. `environment` is added to the gateway's
    own; `executable` is a path, or a name looked up beside the running Python and then on the search path.
    `adapters` are LoRA adapters by name, each a folder or a name to download.
    """

    port: int = Field(ge=1024, le=65535)
    arguments: Annotated[Mapping[str, Argument], AfterValidator(_spelt)] = {}
    environment: Annotated[Mapping[str, str], AfterValidator(_open)] = {}
    executable: str = "vllm"
    adapters: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _within_context(self) -> Self:
        longest = self.arguments.get("max-model-len")
        if self.context is not None and isinstance(longest, int) and self.context > longest:
            raise ValueError(f"context: {self.context} tokens are more than max-model-len, {longest}")
        return self

    def command(self, name: str, executable: str) -> list[str]:
        """The command line; the model answers to the engine's own name."""
        own: dict[str, Argument] = {"host": "127.0.0.1", "port": self.port, "served-model-name": name}
        if self.adapters:
            own |= {"enable-lora": True, "lora-modules": tuple(f"{name}={path}" for name, path in self.adapters.items())}
        given = [word for key, value in (own | dict(self.arguments)).items() for word in _words(key, value)]
        return [executable, "serve", self.model, *given]

    def reached(self, name: str, *, keyed: bool) -> OpenAIOptions:
        """How the engine reaches it; `keyed` says that the environment holds a key for it."""
        shared = {field: getattr(self, field) for field in ModelOptions.model_fields}
        longest = self.arguments.get("max-model-len")
        shared["context"] = self.context or (longest if isinstance(longest, int) else None)
        shared["logprobs"] = self.logprobs or MODES[str(self.arguments.get("logprobs-mode", RAW))]
        address = f"http://127.0.0.1:{self.port}/v1"
        return OpenAIOptions(**shared | {"model": name}, name=name, base_url=(address,), flavour="vllm", api_key_env=KEY if keyed else None)


def _words(name: str, value: Argument) -> list[str]:
    match value:
        case bool():
            return [f"--{name}" if value else f"--no-{name}"]
        case int() | float() | str():
            return [f"--{name}", str(value)]
        case Mapping():
            return [f"--{name}", json.dumps(value, separators=(",", ":"))]
        case _:
            return [f"--{name}", *map(str, value)]
