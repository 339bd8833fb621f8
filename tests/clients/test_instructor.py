"""Instructor: a model out of every mode that speaks OpenAI's protocol, streams of partial models, a chat, a tool loop over its models."""

import json

import pytest
from openai import OpenAI
from pydantic import BaseModel

instructor = pytest.importorskip("instructor", reason="`make clients` installs it")

ASKED = [{"role": "user", "content": "Set a timer for 5 minutes"}]


class SetTimer(BaseModel):
    """Start a countdown."""

    minutes: int


@pytest.fixture
def plain(url: str) -> OpenAI:
    return OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60)


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_every_mode_gives_the_model(plain: OpenAI, mode: str) -> None:
    client = instructor.from_openai(plain, mode=instructor.Mode[mode])
    found = client.chat.completions.create(model="auto", messages=ASKED, response_model=SetTimer, max_retries=0)
    assert isinstance(found, SetTimer)


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_partial_models_stream_to_the_whole_one(plain: OpenAI, mode: str) -> None:
    client = instructor.from_openai(plain, mode=instructor.Mode[mode])
    found = [*client.chat.completions.create_partial(model="auto", messages=ASKED, response_model=SetTimer)]
    assert isinstance(found[-1].minutes, int)


def test_the_answer_behind_the_model_is_told_too(plain: OpenAI) -> None:
    client = instructor.from_openai(plain)
    found, completion = client.chat.completions.create_with_completion(model="auto", messages=ASKED, response_model=SetTimer)
    assert isinstance(found, SetTimer)
    assert completion.usage.total_tokens > 0


def test_a_chat_without_a_model_is_plain(plain: OpenAI) -> None:
    client = instructor.from_openai(plain)
    found = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}], response_model=None)
    assert found.choices[0].message.content


def test_a_tool_loop_goes_round(plain: OpenAI) -> None:
    client = instructor.from_openai(plain)
    timer, completion = client.chat.completions.create_with_completion(model="auto", messages=ASKED, response_model=SetTimer)
    message = completion.choices[0].message
    assert json.loads(message.tool_calls[0].function.arguments) == {"minutes": timer.minutes}
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "started"}
    said = [*ASKED, message.model_dump(), result]
    assert client.chat.completions.create(model="auto", messages=said, response_model=None).choices[0].message.content
