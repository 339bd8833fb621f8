"""Images, audio and long conversations start on the tier that can take them; where none can, the client is told what and why."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from server.build import gateway
from server.config import checked
from tests.server.engines.openai.upstream import json_play, serving
from tests.server.harness import World, chunks, content, error, running
from tests.serving import served

IMAGE: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
AUDIO: Any = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
FILE: Any = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}}
EXCHANGES = json.loads((Path(__file__).parent / "recorded/modalities.json").read_text())["exchanges"]
KINDS = [(IMAGE, "image"), (AUDIO, "audio"), (FILE, "file")]


def tiers(modalities: list[str], **small: Any) -> list[dict[str, Any]]:
    """A small tier that reads text, and a large one that reads these."""
    price = {"prompt": 1, "completion": 1}
    first = {"name": "small", "engine": "slm", "price": price, **small}
    return [first, {"name": "large", "engine": "llm", "price": price, "modalities": modalities}]


async def show(world: World, part: Any, **body: Any) -> Any:
    said = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, part]}]
    return await world.post({"model": "auto", "messages": said, **body})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("part", "kind"), KINDS)
async def test_what_the_small_tier_cannot_read_starts_on_the_tier_that_can(part: Any, kind: str, stream: bool) -> None:
    async with running(route={"tiers": tiers(["text", kind])}) as world:
        response = await show(world, part, stream=stream)
    assert response.status_code == 200
    assert not world.small.calls
    shown = world.large.calls[0].messages[0].parts
    assert [one.kind for one in shown] == ["text", kind]
    assert json.loads(shown[1].payload) == part
    assert response.headers["x-smallfirst-deferrals"] == "modality"
    assert (content(chunks(response)) if stream else response.json()["choices"][0]["message"]["content"]) == "large says"


async def test_text_alone_stays_small() -> None:
    async with running(route={"tiers": tiers(["text", "image", "audio"])}) as world:
        await world.ask("only text")
    assert world.small.calls
    assert not world.large.calls


async def test_an_image_earlier_in_the_conversation_counts_too() -> None:
    said = [{"role": "user", "content": [IMAGE]}, {"role": "assistant", "content": "a cat"}, {"role": "user", "content": "its colour?"}]
    async with running(route={"tiers": tiers(["text", "image"])}) as world:
        await world.post({"model": "auto", "messages": said})
    assert not world.small.calls


async def test_an_image_of_a_response_is_shown_as_well() -> None:
    part = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}
    async with running(route={"tiers": tiers(["text", "image"])}) as world:
        body = {"model": "auto", "input": [{"role": "user", "content": [{"type": "input_text", "text": "what?"}, part]}]}
        response = await world.client.post("/v1/responses", json=body)
    assert response.status_code == 200
    assert json.loads(world.large.calls[0].messages[0].parts[1].payload) == IMAGE


SHOT: Any = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}
CALLED: Any = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "chat/completions",
            {
                "messages": [
                    {"role": "user", "content": "look"},
                    {"role": "assistant", "tool_calls": [CALLED]},
                    {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "seen: "}, IMAGE]},
                ]
            },
        ),
        (
            "responses",
            {
                "input": [
                    {"role": "user", "content": "look"},
                    {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "seen: "}, SHOT]},
                ]
            },
        ),
    ],
)
async def test_an_image_that_a_function_returned_is_shown_to_the_tier_that_reads_images(path: str, body: dict[str, Any]) -> None:
    async with running(route={"tiers": tiers(["text", "image"])}) as world:
        response = await world.client.post(f"/v1/{path}", json={"model": "auto", **body})
        assert response.status_code == 200, response.text
        assert not world.small.calls
        result = world.large.calls[0].messages[2]
    assert (result.role, result.tool_call_id, result.text) == ("tool", "c", "seen: ")
    assert json.loads(result.parts[1].payload) == IMAGE


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("part", [IMAGE, AUDIO, FILE])
async def test_where_no_tier_reads_it_the_client_is_told_before_any_work(part: Any, stream: bool) -> None:
    async with running() as world:
        response = await show(world, part, stream=stream)
    assert error(response) == (400, "invalid_request_error", "unsupported_parameter", "messages")
    assert not world.small.calls + world.large.calls


async def test_a_pinned_tier_that_cannot_read_it_is_an_error_and_no_climb() -> None:
    async with running(route={"tiers": tiers(["text", "image"])}) as world:
        assert error(await show(world, IMAGE, model="auto/small"))[2] == "unsupported_parameter"
        assert not world.large.calls


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_too_long_for_the_small_tier_starts_on_one_that_holds_it(stream: bool) -> None:
    async with running(route={"tiers": tiers(["text"], context=6)}) as world:
        short = await world.ask("only a few words", stream=stream)
        long = await world.ask("many more words than the small tier can hold", stream=stream)
    assert (short.headers["x-smallfirst-tier"], long.headers["x-smallfirst-tier"]) == ("small", "large")
    assert long.headers["x-smallfirst-deferrals"] == "context"
    assert len(world.small.calls) == 1


async def test_the_answer_must_fit_the_context_too() -> None:
    async with running(route={"tiers": tiers(["text"], context=6)}) as world:
        response = await world.ask("only a few words", max_tokens=10)
    assert response.headers["x-smallfirst-tier"] == "large"


@pytest.mark.parametrize("exchange", EXCHANGES, ids=[one["name"] for one in EXCHANGES])
async def test_the_official_client_reaches_a_server_that_sees_and_hears(exchange: dict[str, Any]) -> None:
    async with serving(json_play(exchange["answer"])) as upstream:
        engines = {"slm": {"kind": "scripted", "replies": ["-"]}, "llm": {"kind": "openai", "base_url": upstream.url, "model": "sees"}}
        route = {"tiers": tiers(["text", "image", "audio"]), "verifiers": [{"kind": "contract"}]}
        made = gateway(checked({"engines": engines, "routes": {"auto": route}}), Path("/nowhere"), write=lambda line: None)
        with served(made.app) as url:
            async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
                said: Any = [{"role": "user", "content": exchange["content"]}]
                found = await client.chat.completions.create(model="auto", messages=said)
    assert upstream.requests[0]["messages"] == said
    assert upstream.requests[0]["model"] == "sees"
    assert found.choices[0].message.content == exchange["expect"]["text"]
    assert found.model == "auto/large"
    assert found.usage is not None
    assert [found.usage.prompt_tokens, found.usage.completion_tokens] == exchange["expect"]["usage"]
