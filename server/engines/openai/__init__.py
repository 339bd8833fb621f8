"""The engine for every server that speaks OpenAI's chat protocol: vLLM, SGLang, TensorRT-LLM, llama.cpp, Ollama, hosted APIs."""

from server.engines.openai.engine import OpenAIEngine
from server.engines.openai.options import OpenAIOptions, Timeouts

__all__ = ["OpenAIEngine", "OpenAIOptions", "Timeouts"]
