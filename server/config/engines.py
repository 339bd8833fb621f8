"""The engines, by their kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from server.config.plain import Name, Strict
from server.engines.openai.options import OpenAIOptions
from server.engines.vllm.options import VLLMOptions


class EmbeddedEngine(Strict):
    """A model of this process on ONNX Runtime; `path` is a folder, or `small` or `large` for the bundled pair."""

    kind: Literal["embedded"]
    path: str
    threads: int = Field(default=2, ge=1)
    queue: int = Field(default=256, ge=0)
    tools_prompt: Literal["names", "full"] = "names"


class OpenAIEngine(OpenAIOptions):
    """A server that speaks OpenAI's protocol; its options are the engine's own, its name is its key in `engines`."""

    kind: Literal["openai"]
    name: Literal[""] = ""

    def named(self, name: str) -> OpenAIOptions:
        """The options under that name."""
        return OpenAIOptions.model_validate(self.model_dump(exclude={"kind"}) | {"name": name})


class VLLMEngine(VLLMOptions):
    """A vLLM server that `smallfirst serve` starts on this machine and keeps running."""

    kind: Literal["vllm"]


class AdapterEngine(Strict):
    """A LoRA adapter of an engine of kind openai or vllm: the same server, `adapter` is the name that it has there."""

    kind: Literal["adapter"]
    of: Name
    adapter: str


class ScriptedEngine(Strict):
    """A test double that gives these replies in turn, the last one for ever."""

    kind: Literal["scripted"]
    replies: tuple[str, ...] = Field(min_length=1)


EngineSettings = Annotated[EmbeddedEngine | OpenAIEngine | VLLMEngine | AdapterEngine | ScriptedEngine, Field(discriminator="kind")]
