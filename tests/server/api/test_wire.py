"""No parameter of the official client is dropped: each is used, passed to the engine, or refused by its name."""

import re
from pathlib import Path
from typing import get_type_hints

import pytest
from openai.types import completion_create_params as plain
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses

from server.api import wire
from server.api.parsing import path
from server.api.responding import ResponsesRequest
from server.api.wire import INERT, PASSED, ChatRequest, CompletionRequest

USED = {
    *(
        "model",
        "messages",
        "prompt",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "n",
        "seed",
        "stop",
        "stream",
        "stream_options",
    ),
    *("temperature", "top_p", "structured_outputs", "max_completion_tokens", "max_tokens", "logprobs", "top_logprobs", "tools"),
    *("tool_choice", "parallel_tool_calls", "response_format"),
}


def official(module: object) -> set[str]:
    return set(get_type_hints(module.CompletionCreateParamsStreaming))  # type: ignore[attr-defined]


def refused(model: type[wire.Common]) -> set[str]:
    """Fields that only null satisfies, or only the value that asks for nothing."""
    return {name for name, field in model.model_fields.items() if field.annotation is type(None)} | {"best_of", "echo"}


@pytest.mark.parametrize(("module", "model"), [(chat, ChatRequest), (plain, CompletionRequest)])
def test_every_official_parameter_is_known(module: object, model: type[wire.Common]) -> None:
    assert official(module) <= set(model.model_fields)


@pytest.mark.parametrize("model", [ChatRequest, CompletionRequest])
def test_every_known_parameter_is_used_passed_inert_or_refused(model: type[wire.Common]) -> None:
    classes = (USED - refused(model), set(PASSED), set(INERT), refused(model))
    for name in model.model_fields:
        assert sum(name in names for names in classes) == 1, name


@pytest.mark.parametrize(("location", "expected"), [((), ""), (("a",), "a"), (("tools", 2, "function", "name"), "tools[2].function.name")])
def test_paths_are_written_as_openai_writes_them(location: tuple[str | int, ...], expected: str) -> None:
    assert path(location) == expected


def tabled(heading: str) -> dict[str, str]:
    """The parameters of one table of the page, with what is said of them."""
    section = (Path(__file__).parents[3] / "docs/parameters.md").read_text().partition(f"## `POST {heading}`")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (used|passed|refused) \|", section, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "official", "model"),
    [
        ("/v1/chat/completions", chat.CompletionCreateParamsStreaming, ChatRequest),
        ("/v1/responses", responses.ResponseCreateParamsStreaming, ResponsesRequest),
    ],
)
def test_every_official_parameter_is_in_the_table_as_it_is_treated(heading: str, official: type, model: type[wire.Generating]) -> None:
    told = tabled(heading)
    assert set(told) == set(get_type_hints(official))
    for name, treated in told.items():
        assert (treated == "refused") is (model.model_fields[name].annotation is type(None)), name
