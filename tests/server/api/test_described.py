"""Answers of `/v1/responses`, told and stored, are what the OpenAPI document says of them."""

from typing import Any

import jsonschema_rs
import pytest

from router.types import Token
from server.api.described import FORGOTTEN, ITEMS, RESPONSE
from tests.server.harness import CALL, TOOLS, Reply, running

PATH = "/v1/responses"
FLAT = {"type": "function", **TOOLS[0]["function"]}  # type: ignore[dict-item]
FORM = {"type": "json_schema", "name": "a", "schema": {"type": "object"}}
TOLD = Reply("a b", tokens=(Token("a", -0.1), Token(" b", -0.2)))


@pytest.mark.parametrize(
    ("reply", "asked"),
    [
        ("words", {}),
        ("words", {"instructions": "x", "user": "u", "metadata": {"a": "b"}, "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 9}),
        (Reply("words", finish_reason="length"), {"max_output_tokens": 1}),
        (Reply("words", finish_reason="content_filter"), {}),
        (Reply("words", reasoning="hm"), {"reasoning": {"summary": "auto"}, "client_metadata": {"thread_id": "1"}}),
        (TOLD, {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
        (CALL, {"tools": [FLAT], "tool_choice": "required", "parallel_tool_calls": False}),
        (CALL, {"tools": [FLAT], "tool_choice": {"type": "function", "name": "set_timer"}, "reasoning": {"effort": "low"}}),
        ('{"a":1}', {"text": {"format": FORM, "verbosity": "low"}}),
        ("{}", {"text": {"format": {"type": "json_object"}}, "store": False}),
    ],
)
async def test_a_response_is_as_it_is_described(reply: Any, asked: dict[str, Any]) -> None:
    described = jsonschema_rs.validator_for(RESPONSE)
    async with running([reply]) as world:
        found = (
            await world.client.post(PATH, json={"model": "auto", "input": "hi", **asked}, headers={"x-smallfirst-explain": "1"})
        ).json()
        described.validate(found)
        if found["store"]:
            described.validate((await world.client.get(f"{PATH}/{found['id']}")).json())
            listed = (await world.client.get(f"{PATH}/{found['id']}/input_items")).json()
            jsonschema_rs.validator_for(ITEMS).validate(listed)
            jsonschema_rs.validator_for(FORGOTTEN).validate((await world.client.delete(f"{PATH}/{found['id']}")).json())


async def test_what_is_described_is_all_that_is_told() -> None:
    """A field that the document does not know would be of no use to those who read it."""
    async with running() as world:
        found = (await world.client.post(PATH, json={"model": "auto", "input": "hi"})).json()
    assert found.keys() <= RESPONSE["properties"].keys()
