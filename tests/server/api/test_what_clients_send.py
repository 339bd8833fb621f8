"""What other people's clients put into requests beyond what they mean: accepted where it asks for nothing that is not done."""

import json
from typing import Any

import pytest

from tests.server.harness import error, running

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
USER = {"role": "user", "content": "hi"}
VLLMS: dict[str, object] = {
    "stop_token_ids": [7],
    "allowed_token_ids": [1, 2],
    "bad_words": ["mud"],
    "include_stop_str_in_output": True,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
    "thinking_token_budget": 0,
    "include_reasoning": False,
    "cache_salt": "s",
    "mm_processor_kwargs": {"fps": 1},
}


PATHS = [("chat/completions", {"messages": [USER]}), ("completions", {"prompt": "a"}), ("responses", {"input": "a"})]


@pytest.mark.parametrize(("path", "said"), PATHS)
async def test_what_vllm_knows_of_sampling_reaches_the_engine(path: str, said: dict[str, Any]) -> None:
    async with running() as world:
        response = await world.client.post(f"/v1/{path}", json={"model": "auto", **said, **VLLMS})
        assert response.status_code == 200, response.text
        assert {name: json.loads(text) for name, text in world.small.calls[0].sampling.extra} == VLLMS


@pytest.mark.parametrize(("path", "said"), [PATHS[0], PATHS[2]])
async def test_hints_that_change_no_answer_are_taken(path: str, said: dict[str, Any]) -> None:
    hints = {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "safety_identifier": "s", "service_tier": "auto", "store": False}
    async with running() as world:
        response = await world.client.post(f"/v1/{path}", json={"model": "auto", **said, **hints})
        assert response.status_code == 200, response.text
        assert not world.small.calls[0].sampling.extra


async def test_an_editors_many_stops_all_hold() -> None:
    """OpenAI takes four; code editors send a dozen to other servers."""
    stops = [f"<{n}>" for n in range(32)]
    async with running() as world:
        response = await world.ask(stop=stops)
        assert response.status_code == 200, response.text
        assert world.small.calls[0].sampling.stop == tuple(stops)


def beside(schema: object) -> dict[str, Any]:
    return {"type": "json_object", "schema": schema}


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
async def test_an_object_may_be_demanded_with_its_schema_beside_it(path: str) -> None:
    def said(schema: object) -> dict[str, Any]:
        if path == "responses":
            return {"model": "auto", "input": "a", "text": {"format": beside(schema)}}
        return {"model": "auto", "messages": [USER], "response_format": beside(schema)}

    async with running(['{"a":"x"}'], ['{"a":1}']) as world:
        response = await world.client.post(f"/v1/{path}", json=said(SCHEMA))
        broken = await world.client.post(f"/v1/{path}", json=said({"type": "strange"}))
        assert world.small.calls[0].contract.schema == SCHEMA
    assert response.headers["x-smallfirst-tier"] == "large"
    assert error(broken)[3] == ("text.format.schema" if path == "responses" else "response_format.schema")


async def test_vllms_own_way_to_demand_a_form_may_say_what_it_does_not_ask() -> None:
    nothing = {"json": None, "choice": None, "grammar": None, "json_object": None, "structural_tag": None, "whitespace_pattern": None}
    nothing |= {"disable_any_whitespace": False, "disable_additional_properties": False}
    async with running(["42"]) as world:
        response = await world.ask(structured_outputs={"regex": "[0-9]+", **nothing})
    assert response.json()["choices"][0]["message"]["content"] == "42"


async def test_an_answer_comes_back_within_the_part_that_told_it() -> None:
    told = {"role": "assistant", "annotations": [], "reasoning_content": "hm", "tool_calls": []}
    said = [{"type": "text", "text": "four", "refusal": None, **told}, {"type": "refusal", "refusal": "no more", "content": None, **told}]
    async with running() as world:
        response = await world.ask(messages=[USER, {"role": "assistant", "content": said}, USER])
        assert response.status_code == 200, response.text
        assert world.small.calls[0].messages[1].text == "fourno more"
