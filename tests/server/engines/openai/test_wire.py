"""What is asked of each server."""

import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from router import contract as contracts
from router.errors import EngineRejected
from router.types import Contract, EngineCall, Evidence, Message, Part, Sampling, ToolCall, ToolChoice
from server.engines.openai.flavours import FLAVOURS, alternatives
from server.engines.openai.options import FlavourName, OpenAIOptions
from server.engines.openai.wire import Dialect
from tests.server.engines.openai.play import USER, call, tools

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CHOICE = contracts.choice(("yes", 'n"o'))
GBNF = 'root ::= "yes" | "n\\"o"'


def dialect(flavour: FlavourName = "vllm", **options: Any) -> Dialect:
    return Dialect(OpenAIOptions(name="slm", base_url=("http://h/v1",), model="m", flavour=flavour, **options), FLAVOURS[flavour])


def asked(made: EngineCall, flavour: FlavourName = "vllm", **options: Any) -> dict[str, Any]:
    found = json.loads(dialect(flavour, **options).write(made).body)
    assert isinstance(found, dict)
    return found


def test_a_plain_call_says_no_more_than_it_must() -> None:
    assert asked(call()) == {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": False}


def test_a_live_call_streams_with_usage() -> None:
    found = asked(call(live=True))
    assert (found["stream"], found["stream_options"]) == (True, {"include_usage": True, "continuous_usage_stats": True})
    assert asked(call(live=True), "sglang")["stream_options"] == {"include_usage": True}
    assert asked(call(live=True, sampling=Sampling(n=2)))["stream_options"] == {"include_usage": True}


def test_every_sampling_field_passes() -> None:
    sampling = Sampling(
        0.5, 0.9, 7, ("\n", "END"), 32, 2, 0.1, 0.2, ((5, -1.0),), True, 3, (("top_k", "4"), ("chat_template_kwargs", '{"a":1}'))
    )
    found = asked(call(sampling=sampling))
    expected = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["\n", "END"], "max_tokens": 32, "n": 2, "presence_penalty": 0.1}
    expected |= {"frequency_penalty": 0.2, "logit_bias": {"5": -1.0}, "logprobs": True, "top_logprobs": 3, "top_k": 4}
    assert {name: found[name] for name in expected} == expected
    assert found["chat_template_kwargs"] == {"a": 1}


def test_a_temperature_of_zero_is_said() -> None:
    assert asked(call(sampling=Sampling(temperature=0.0)))["temperature"] == 0.0


def test_a_top_p_of_zero_is_said_as_what_every_server_takes() -> None:
    assert 0 < asked(call(sampling=Sampling(top_p=0.0)))["top_p"] < 0.001
    assert "top_p" not in asked(call(sampling=Sampling()))


def test_scores_get_alternatives_even_where_the_client_asked_for_fewer() -> None:
    assert asked(call(evidence=Evidence.LOGPROBS))["top_logprobs"] == 5
    assert asked(call(sampling=Sampling(logprobs=True, top_logprobs=20), evidence=Evidence.LOGPROBS))["top_logprobs"] == 20
    assert "logprobs" not in asked(call())


def test_hosted_models_get_their_own_name_for_the_length_and_the_developer() -> None:
    developer = Message("developer", (Part("text", "Be brief."),))
    found = asked(call(messages=(developer, USER), sampling=Sampling(max_tokens=9)), "openai", tools="native")
    assert (found["max_completion_tokens"], found["messages"][0]["role"]) == (9, "developer")
    assert asked(call(messages=(developer, USER)))["messages"][0]["role"] == "system"


@pytest.mark.parametrize(
    ("flavour", "contract", "fields"),
    [
        ("vllm", contracts.regex("a+"), {"structured_outputs": {"regex": "a+"}}),
        ("vllm", CHOICE, {"structured_outputs": {"choice": ["yes", 'n"o']}}),
        ("vllm", Contract("grammar", "root ::= x"), {"structured_outputs": {"grammar": "root ::= x"}}),
        ("sglang", contracts.regex("a+"), {"regex": "a+"}),
        ("sglang", CHOICE, {"ebnf": GBNF}),
        ("sglang", Contract("grammar", "root ::= x"), {"ebnf": "root ::= x"}),
        ("trtllm", contracts.regex("a+"), {"response_format": {"type": "regex", "regex": "a+"}}),
        ("trtllm", CHOICE, {"response_format": {"type": "ebnf", "ebnf": GBNF}}),
        ("trtllm", Contract("grammar", "root ::= x"), {"response_format": {"type": "ebnf", "ebnf": "root ::= x"}}),
        ("llamacpp", CHOICE, {"grammar": GBNF}),
        ("llamacpp", Contract("grammar", "root ::= x"), {"grammar": "root ::= x"}),
        *[(name, contracts.json_object(), {"response_format": {"type": "json_object"}}) for name in FLAVOURS],
    ],
)
def test_a_contract_is_asked_for_in_the_flavours_way(flavour: FlavourName, contract: Contract, fields: dict[str, Any]) -> None:
    found = asked(call(contract), flavour)
    assert {name: found[name] for name in fields} == fields


@pytest.mark.parametrize("flavour", list(FLAVOURS))
def test_a_schema_goes_as_a_response_format(flavour: FlavourName) -> None:
    found = asked(call(contracts.json_schema(SCHEMA, "thing", False)), flavour)["response_format"]
    assert found["type"] == "json_schema"
    assert (found["json_schema"] if flavour == "trtllm" else found["json_schema"]["schema"]) == SCHEMA
    assert flavour == "trtllm" or found["json_schema"]["strict"] is (flavour != "openai")


@pytest.mark.parametrize(("flavour", "kind"), [("llamacpp", "regex"), ("ollama", "regex"), ("ollama", "choice"), ("openai", "grammar")])
def test_a_form_that_the_server_does_not_know_is_refused(flavour: FlavourName, kind: Any) -> None:
    with pytest.raises(EngineRejected, match=kind):
        dialect(flavour).write(call(Contract(kind, "x", choices=("x",))))


@pytest.mark.parametrize(
    ("flavour", "sampling", "param"),
    [
        ("openai", Sampling(extra=(("top_k", "3"),)), "top_k"),
        ("vllm", Sampling(extra=(("nonsense", "3"),)), "nonsense"),
        ("ollama", Sampling(n=2), "n"),
        ("ollama", Sampling(logit_bias=((1, 1.0),)), "logit_bias"),
    ],
)
def test_what_the_server_would_drop_in_silence_is_refused(flavour: FlavourName, sampling: Sampling, param: str) -> None:
    with pytest.raises(EngineRejected, match=param) as caught:
        dialect(flavour).write(call(sampling=sampling))
    assert caught.value.param == param


HISTORY = (
    USER,
    Message("assistant", (), (ToolCall("c1", "get_weather", '{"city":"Oslo"}'),)),
    Message("tool", (Part("text", "12 °C"),), tool_call_id="c1"),
)


@pytest.mark.parametrize("flavour", ["vllm", "trtllm", "openai"])
def test_a_schema_of_an_older_draft_goes_in_the_words_that_engines_know(flavour: FlavourName) -> None:
    old = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array", "items": [{"type": "integer"}]}
    found = asked(call(contracts.json_schema(old)), flavour)["response_format"]["json_schema"]
    assert (found if flavour == "trtllm" else found["schema"]) == {"type": "array", "prefixItems": [{"type": "integer"}]}


def test_tools_by_schema_are_a_response_format_and_text() -> None:
    found = asked(call(tools(), messages=HISTORY))
    assert "tools" not in found
    assert found["response_format"]["type"] == "json_schema"
    assert "get_weather" in found["messages"][0]["content"]
    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant", "user"]


def test_native_tools_go_as_they_are() -> None:
    found = asked(call(tools(), messages=HISTORY), tools="native")
    assert [tool["function"]["name"] for tool in found["tools"]] == ["get_weather", "get_time"]
    assert (found["tool_choice"], "response_format" in found) == ("auto", False)
    assert found["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}],
    }
    assert found["messages"][2] == {"role": "tool", "content": "12 °C", "tool_call_id": "c1"}


def test_a_named_native_choice_is_that_function_required() -> None:
    found = asked(call(tools(ToolChoice("named", ("get_time",)), parallel=False)), tools="native")
    assert [tool["function"]["name"] for tool in found["tools"]] == ["get_time"]
    assert (found["tool_choice"], found["parallel_tool_calls"]) == ("required", False)


PLACE = contracts.json_schema(SCHEMA, "place")
FORMED = contracts.tools(tools().tools, form=PLACE)


@pytest.mark.parametrize("flavour", [name for name in FLAVOURS if name != "openai"])
def test_a_form_beside_tools_goes_with_them_as_one_schema(flavour: FlavourName) -> None:
    """Such servers hold the whole answer to a response format, so that no call could be made."""
    found = asked(call(FORMED, messages=HISTORY), flavour, tools="native")
    assert "tools" not in found
    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant", "user"]
    assert json.dumps(SCHEMA) in json.dumps(found["response_format"])
    assert '"a":' in found["messages"][0]["content"]


def test_openai_is_given_tools_and_a_form_of_their_own() -> None:
    found = asked(call(FORMED), "openai", tools="native")
    assert [tool["function"]["name"] for tool in found["tools"]] == ["get_weather", "get_time"]
    assert found["response_format"]["json_schema"] == {"name": "place", "schema": SCHEMA, "strict": False}


def test_an_earlier_answer_of_the_form_is_told_in_the_form_of_now() -> None:
    said = Message("assistant", (Part("text", '{"a":"b"}'),))
    found = asked(call(FORMED, messages=(USER, said, USER)))
    assert found["messages"][2]["content"] == '{"message":{"a":"b"}}'


def test_llamacpp_streams_no_native_tools_with_logprobs() -> None:
    """It answers such a request with an error."""
    made = call(tools(), live=True, evidence=Evidence.LOGPROBS)
    assert asked(made, "llamacpp", tools="native")["stream"] is False
    assert asked(made, "llamacpp")["stream"] is True


def test_without_a_function_to_offer_no_tools_are_sent() -> None:
    found = asked(call(replace(tools(), tool_choice=ToolChoice("none"))), tools="native")
    assert not {"tools", "tool_choice"} & found.keys()


def test_names_and_mappings_that_are_no_dicts_pass() -> None:
    schema = MappingProxyType({"type": "object"})
    found = asked(call(Contract("json_schema", schema=schema), messages=(replace(USER, name="ann"),)))
    assert found["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert found["messages"][0]["name"] == "ann"


def test_other_parts_keep_the_clients_json() -> None:
    image = '{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}'
    found = asked(call(messages=(Message("user", (Part("text", "What?"), Part("image", payload=image))),)))
    assert found["messages"][0]["content"] == [{"type": "text", "text": "What?"}, json.loads(image)]


def test_images_that_functions_returned_follow_their_results() -> None:
    """Where the server reads tool messages itself; in the schema's form every result is a message of the user's."""
    image = '{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}'
    asking = Message("assistant", tool_calls=(ToolCall("c1", "get_time", "{}"), ToolCall("c2", "get_time", "{}")))
    shot = Message("tool", (Part("text", "a"), Part("image", payload=image)), tool_call_id="c1")
    plain = Message("tool", (Part("text", "b"),), tool_call_id="c2")
    found = asked(call(tools(), messages=(USER, asking, shot, plain, USER)), tools="native")["messages"]
    assert [(message["role"], message["content"]) for message in found[2:]] == [
        ("tool", "a"),
        ("tool", "b"),
        ("user", [{"type": "text", "text": "What the functions returned:"}, json.loads(image)]),
        ("user", "Hello"),
    ]
    last = asked(call(tools(), messages=(USER, asking, Message("tool", shot.parts[1:], tool_call_id="c1"))), tools="native")["messages"]
    assert [(message["role"], type(message["content"])) for message in last[2:]] == [("tool", str), ("user", list)]


def test_the_estimate_grows_with_text_tools_and_images() -> None:
    def tokens(made: EngineCall, **options: Any) -> int:
        return dialect(**options).prompt_tokens(made)

    assert tokens(call()) == round(5 / 3.5) + 8
    assert tokens(call(tools())) > tokens(call())
    assert tokens(call(tools()), tools="native") > tokens(call())
    assert tokens(call(messages=(Message("user", (Part("image", payload="{}"),)),))) > 800


def test_a_grammar_of_alternatives_escapes() -> None:
    assert alternatives(("a\\b", "é\n")) == 'root ::= "a\\\\b" | "é\\x0A"'
