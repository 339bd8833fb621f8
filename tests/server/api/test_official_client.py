"""The official client against a real server with the bundled models: shapes alone, for what tiny models say is theirs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel, ConfigDict

from server.build import gateway
from server.config import checked
from tests.server.harness import TOOLS
from tests.serving import served

ROOT = Path(__file__).parents[3]
BUNDLED = [ROOT / "models" / size / "model.onnx" for size in ("small", "large")]
FUNCTION: Any = {"type": "function", **TOOLS[0]["function"]}  # type: ignore[dict-item]

pytestmark = pytest.mark.skipif(not all(path.exists() for path in BUNDLED), reason="the bundled models are not here")


class Timer(BaseModel):
    """What the helpers parse into."""

    model_config = ConfigDict(extra="forbid")
    minutes: int


@pytest.fixture(scope="module")
def client() -> Iterator[OpenAI]:
    price = {"prompt": 1, "completion": 1}
    tiers = [{"name": name, "engine": name, "context": 1024, "price": price} for name in ("small", "large")]
    engines = {name: {"kind": "embedded", "path": name, "threads": 1} for name in ("small", "large")}
    verifiers = [{"kind": "contract"}, {"kind": "function"}]
    route = {"tiers": tiers, "verifiers": verifiers, "when_all_abstain": "accept", "early_abort": True}
    made = gateway(checked({"engines": engines, "routes": {"auto": route}}), ROOT, write=lambda line: None)
    with served(made.app) as url, OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=60) as connected:
        yield connected


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_a_chat_streams(client: OpenAI) -> None:
    found = list(client.chat.completions.create(model="auto", messages=ask("Hello"), max_tokens=8, stream=True))
    assert found[0].choices[0].delta.role == "assistant"
    assert found[-1].choices[0].finish_reason in ("stop", "length")


def test_the_parse_helper_gives_the_model(client: OpenAI) -> None:
    found = client.chat.completions.parse(model="auto", messages=ask("a timer of 5 minutes"), response_format=Timer, max_tokens=64)
    assert isinstance(found.choices[0].message.parsed, Timer)


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_the_parse_helper_takes_tools_beside_a_model(client: OpenAI, choice: Any) -> None:
    tools: Any = [{"type": "function", "function": {**TOOLS[0]["function"], "strict": True}}]  # type: ignore[dict-item]
    asked: Any = {"messages": ask("a timer of 5 minutes"), "tools": tools, "tool_choice": choice, "max_tokens": 96}
    message = client.chat.completions.parse(model="auto", response_format=Timer, **asked).choices[0].message
    if message.tool_calls:
        assert choice != "none"
        assert isinstance(message.tool_calls[0].function.parsed_arguments, dict)
    else:
        assert choice != "required"
        assert isinstance(message.parsed, Timer)


def test_a_stream_with_tools_beside_a_model_is_parsed(client: OpenAI) -> None:
    tools: Any = [{"type": "function", "function": {**TOOLS[0]["function"], "strict": True}}]  # type: ignore[dict-item]
    asked: Any = {"messages": ask("a timer of 5 minutes"), "tools": tools, "max_tokens": 96}
    with client.chat.completions.stream(model="auto", response_format=Timer, **asked) as stream:
        message = stream.get_final_completion().choices[0].message
    assert bool(message.tool_calls) != isinstance(message.parsed, Timer)


def test_a_response_with_tools_beside_a_model_is_parsed(client: OpenAI) -> None:
    function: Any = {**FUNCTION, "strict": True}
    found = client.responses.parse(model="auto", input="a timer of 5 minutes", tools=[function], text_format=Timer, max_output_tokens=96)
    called = [item for item in found.output if item.type == "function_call"]
    assert bool(called) != isinstance(found.output_parsed, Timer)


def test_a_tool_loop_goes_round(client: OpenAI) -> None:
    tools: Any = TOOLS
    said = ask("set a timer of 5 minutes")
    first = client.chat.completions.create(model="auto", messages=said, tools=tools, tool_choice="required", max_tokens=96)
    calls = first.choices[0].message.tool_calls or []
    assert first.choices[0].finish_reason == "tool_calls"
    results = [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in calls]
    messages: Any = [*said, first.choices[0].message, *results]
    second = client.chat.completions.create(model="auto", messages=messages, max_tokens=16)
    assert second.choices[0].message.role == "assistant"


def test_a_loop_of_tools_beside_a_model_ends_in_the_model(client: OpenAI) -> None:
    """What the client made of the first answer goes back with it."""
    tools: Any = [{"type": "function", "function": {**TOOLS[0]["function"], "strict": True}}]  # type: ignore[dict-item]
    said, asked = ask("set a timer of 5 minutes"), {"model": "auto", "tools": tools, "response_format": Timer, "max_tokens": 96}
    first = client.chat.completions.parse(messages=said, **asked).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "started"} for call in first.tool_calls or ()]
    second = client.chat.completions.parse(messages=[*said, first, *results], **asked).choices[0].message
    assert [call.function.parsed_arguments for call in first.tool_calls or ()] == [{"minutes": 5}]
    assert isinstance(second.parsed, Timer)
    parsed: Any = {"role": "assistant", "content": second.content, "parsed": second.parsed.model_dump()}
    third = client.chat.completions.parse(messages=[*said, first, *results, parsed, *ask("thanks")], **asked).choices[0].message
    assert bool(third.tool_calls) != isinstance(third.parsed, Timer)


def test_a_response_streams(client: OpenAI) -> None:
    with client.responses.stream(model="auto", input="Hello", max_output_tokens=8) as events:
        kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] in ("response.completed", "response.incomplete")


def test_a_response_is_parsed(client: OpenAI) -> None:
    found = client.responses.parse(model="auto", input="a timer of 5 minutes", text_format=Timer, max_output_tokens=64)
    assert isinstance(found.output_parsed, Timer)


def test_a_loop_of_responses_goes_round(client: OpenAI) -> None:
    said = "set a timer of 5 minutes"
    first = client.responses.create(model="auto", input=said, tools=[FUNCTION], tool_choice="required", max_output_tokens=96)
    call = first.output[0]
    assert call.type == "function_call"
    assert set(json.loads(call.arguments)) == {"minutes"}
    items: Any = [*ask(said), *first.output, {"type": "function_call_output", "call_id": call.call_id, "output": "ok"}]
    assert isinstance(client.responses.create(model="auto", input=items, max_output_tokens=16), Response)


def test_a_refusal_is_the_clients_own_error(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="auto", input="Hello", previous_response_id="resp_1")
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")
