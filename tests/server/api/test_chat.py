"""JSON answers: what the client gets, from which tier, and what it is told of the way there."""

import json
import math

import pytest

from router.errors import EngineFailure, EngineOverloaded, EngineProtocolError, EngineRejected, EngineTimeout
from router.types import Alternative, Token, Usage
from tests.server.harness import CALL, TOOLS, WRONG, Reply, chunks, error, running


async def test_a_small_answer_is_an_openai_chat_completion() -> None:
    async with running(["hello there"]) as world:
        response = await world.ask()
    body = response.json()
    assert response.status_code == 200
    assert body["object"] == "chat.completion"
    assert body["model"] == "auto/small"
    assert body["id"].startswith("chatcmpl-")
    assert body["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "hello there", "refusal": None}, "logprobs": None, "finish_reason": "stop"}
    ]
    assert body["usage"] | {} == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    assert "smallfirst" not in body


async def test_the_headers_tell_the_way() -> None:
    async with running([WRONG], [CALL]) as world:
        headers = (await world.ask(tools=TOOLS)).headers
    assert headers["x-smallfirst-route"] == "auto"
    assert headers["x-smallfirst-tier"] == "large"
    assert headers["x-smallfirst-attempts"] == "2"
    assert headers["x-smallfirst-deferrals"] == "contract"
    assert float(headers["x-smallfirst-cost-usd"]) > 0
    assert "x-smallfirst-confidence" not in headers
    assert headers["x-request-id"]


async def test_the_cost_header_counts_the_rejected_draft_too() -> None:
    async with running([Reply(WRONG, usage=Usage(100, 10))], [Reply(CALL, usage=Usage(100, 10))]) as world:
        headers = (await world.ask(tools=TOOLS)).headers
    assert float(headers["x-smallfirst-cost-usd"]) == pytest.approx((110 * 1 + 110 * 10) / 1e6)


@pytest.mark.parametrize(("given", "kept"), [("abc-123", True), ("x" * 200, False), ("bad id", False), ('{"a":1}', False)])
async def test_a_clients_own_request_id_is_kept_if_it_is_sane(given: str, kept: bool) -> None:
    async with running() as world:
        response = await world.ask(headers={"x-request-id": given})
        assert (response.headers["x-request-id"] == given) == kept
        assert world.logged[0]["request_id"] == response.headers["x-request-id"]


async def test_tool_calls_are_rendered_back_as_openais() -> None:
    async with running([CALL]) as world:
        message = (await world.ask(tools=TOOLS)).json()["choices"][0]
    assert message["finish_reason"] == "tool_calls"
    assert message["message"]["content"] is None
    [call] = message["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["id"].startswith("call_")
    assert call["function"] == {"name": "set_timer", "arguments": '{"minutes":5}'}


async def test_the_message_arm_is_ordinary_content() -> None:
    async with running(['{"message":"I cannot do that."}']) as world:
        choice = (await world.ask(tools=TOOLS)).json()["choices"][0]
    assert choice["message"]["content"] == "I cannot do that."
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]


async def test_a_call_to_a_tool_that_does_not_exist_never_passes() -> None:
    async with running([WRONG], [WRONG]) as world:
        response = await world.ask(tools=TOOLS)
    assert error(response) == (503, "api_error", "cascade_exhausted", None)
    assert response.headers["x-smallfirst-attempts"] == "2"
    assert "x-smallfirst-tier" not in response.headers


async def test_a_forced_tool_leaves_no_message_arm() -> None:
    async with running(['{"message":"no"}'], [CALL]) as world:
        response = await world.ask(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "set_timer"}})
    assert response.headers["x-smallfirst-tier"] == "large"


async def test_tool_choice_none_is_prose() -> None:
    async with running(["just words"]) as world:
        response = await world.ask(tools=TOOLS, tool_choice="none")
        assert response.json()["choices"][0]["message"]["content"] == "just words"
        assert world.small.calls[0].contract.kind == "none"


async def test_allowed_tools_narrow_the_offer() -> None:
    second = {"type": "function", "function": {"name": "make_call"}}
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "make_call"}}]}
    async with running([CALL], ['{"message":"ok"}']) as world:
        response = await world.ask(tools=[*TOOLS, second], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
        assert response.headers["x-smallfirst-deferrals"] == "contract"
        assert [tool.name for tool in world.small.calls[0].contract.tools] == ["make_call"]


async def test_a_json_schema_is_checked_again_after_the_engine() -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    asked = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    async with running(['{"age":"five"}'], ['{"age":5}']) as world:
        response = await world.ask(response_format=asked)
    assert response.json()["choices"][0]["message"]["content"] == '{"age":5}'
    assert response.headers["x-smallfirst-deferrals"] == "contract"


@pytest.mark.parametrize(
    ("asked", "bad", "good"),
    [
        ({"response_format": {"type": "json_object"}}, "[1]", '{"a":1}'),
        ({"structured_outputs": {"json": {"type": "integer"}}}, '"x"', "7"),
        ({"structured_outputs": {"json": '{"type": "integer"}'}}, '"x"', "7"),
        ({"structured_outputs": {"regex": "[ab]+"}}, "abc", "abab"),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "maybe", "no"),
    ],
)
async def test_every_form_is_a_hard_gate(asked: dict[str, object], bad: str, good: str) -> None:
    async with running([bad], [good]) as world:
        response = await world.ask(**asked)
    assert response.json()["choices"][0]["message"]["content"] == good
    assert response.headers["x-smallfirst-tier"] == "large"


async def test_an_answer_cut_off_under_a_contract_is_not_an_answer() -> None:
    async with running([Reply('{"a":', finish_reason="length")], [Reply('{"a":1', finish_reason="length")]) as world:
        response = await world.ask(response_format={"type": "json_object"}, max_tokens=2)
    assert error(response) == (400, "invalid_request_error", "max_tokens_too_small", "max_tokens")


@pytest.mark.parametrize(
    ("asked", "text", "stop"),
    [
        ({"response_format": {"type": "json_object"}}, '{"a":1', "}"),
        ({"response_format": {"type": "json_object"}}, "", "{"),
        ({"tools": TOOLS}, '{"tool_calls":[{"name":"set_timer","arguments":{"', "minutes"),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "y", ["x", "e"]),
        ({"structured_outputs": {"regex": "a+b"}}, "aa", "b"),
    ],
)
async def test_an_answer_that_the_clients_own_stop_text_breaks_is_the_clients_error(
    asked: dict[str, object], text: str, stop: object
) -> None:
    async with running([text] * 3, [text] * 3) as world:
        response = await world.ask(**asked, stop=stop)
    assert error(response) == (400, "invalid_request_error", "invalid_request", "stop")


@pytest.mark.parametrize("text", ['{"a":1}', "[1]", '{"a":1]'])
async def test_an_answer_that_no_stop_text_broke_is_not_blamed_on_one(text: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2}}}
    async with running([text] * 3, [text] * 3) as world:
        form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
        response = await world.ask(response_format=form, stop=["\n\n", "}"])
    assert error(response)[2] == "cascade_exhausted"


async def test_prose_cut_off_by_the_clients_own_limit_is_an_answer() -> None:
    async with running([Reply("one two", finish_reason="length")]) as world:
        response = await world.ask(max_tokens=2)
    assert response.json()["choices"][0]["finish_reason"] == "length"


async def test_with_several_choices_every_one_must_pass() -> None:
    good = '{"a":1}'
    async with running([Reply(good, choices=("no json",))], [Reply(good, choices=(good,))]) as world:
        response = await world.ask(n=2, response_format={"type": "json_object"})
    assert [choice["message"]["content"] for choice in response.json()["choices"]] == [good, good]
    assert response.headers["x-smallfirst-tier"] == "large"


async def test_log_probabilities_are_given_when_asked_and_only_then() -> None:
    tokens = (Token("hi", -0.1, -0.2, free=True, top=(Alternative("hi", -0.2), Alternative("ho", -2.0))),)
    async with running([Reply("hi", tokens=tokens)]) as world:
        asked = (await world.ask(logprobs=True, top_logprobs=1)).json()["choices"][0]["logprobs"]
        plain = (await world.ask()).json()["choices"][0]["logprobs"]
    top = [{"token": "hi", "logprob": -0.2, "bytes": [104, 105]}]
    assert asked == {"content": [{"token": "hi", "logprob": -0.1, "bytes": [104, 105], "top_logprobs": top}], "refusal": None}
    assert plain is None


async def test_an_explanation_tells_everything_but_a_rejected_drafts_words() -> None:
    async with running(['{"tool_calls":[{"name":"set_timer","arguments":{"minutes":"SECRET"}}]}'], [CALL]) as world:
        response = await world.ask(tools=TOOLS, headers={"x-smallfirst-explain": "1"})
    told = response.json()["smallfirst"]
    assert "SECRET" not in response.text
    assert told["decision"]["permitted"] == ["small", "large"]
    small, large = told["attempts"]
    assert (small["tier"], small["deferral"]) == ("small", "contract")
    assert small["verdicts"][0]["violations"] == ["/tool_calls/0/arguments/minutes"]
    assert small["usage"]["completion_tokens"] > 0
    assert small["cost_usd"] > 0
    assert small["joules"] is None
    assert (large["deferral"], large["verdicts"][0]["ruling"]) == (None, "accept")


@pytest.mark.parametrize(
    ("model", "tier"), [("auto", "small"), ("gpt-4o", "small"), ("best", "large"), ("auto/large", "large"), ("auto/small", "small")]
)
async def test_models_name_routes_aliases_and_tiers(model: str, tier: str) -> None:
    async with running() as world:
        assert (await world.ask(model=model)).headers["x-smallfirst-tier"] == tier


async def test_a_pinned_tier_keeps_its_gates() -> None:
    async with running([WRONG], [CALL]) as world:
        assert error(await world.ask(model="auto/small", tools=TOOLS))[0] == 503


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (EngineFailure("down"), (502, "api_error", "engine_error", None)),
        (EngineTimeout("slow"), (504, "timeout_error", "timeout", None)),
        (EngineOverloaded("busy"), (429, "rate_limit_error", "overloaded", None)),
    ],
)
async def test_only_the_last_tiers_failure_is_the_clients(failure: EngineFailure, expected: tuple[object, ...]) -> None:
    async with running([Reply(failure=failure)], ["saved"]) as world:
        assert (await world.ask()).headers["x-smallfirst-tier"] == "large"
    async with running([Reply(failure=failure)], [Reply(failure=failure)]) as world:
        response = await world.ask()
    assert error(response) == expected
    assert ("retry-after" in response.headers) == (expected[0] == 429)


@pytest.mark.parametrize(
    ("failure", "worked"),
    [
        (EngineFailure("down"), False),
        (EngineOverloaded("busy"), False),
        (EngineRejected("no"), False),
        (EngineTimeout("slow"), True),
        (EngineProtocolError("a page"), True),
    ],
)
async def test_a_call_that_its_engine_refused_costs_nothing(failure: EngineFailure, worked: bool) -> None:
    async with running([Reply(failure=failure)], ["saved"]) as world:
        told = (await world.ask(headers={"x-smallfirst-explain": "1"})).json()["smallfirst"]
        assert (await world.metric("tokens_total", route="auto", tier="small", kind="prompt") > 0) is worked
        assert (await world.metric("cost_usd_total", route="auto", tier="small", kind="draft") > 0) is worked
    assert (told["attempts"][0]["cost_usd"] > 0) is worked


@pytest.mark.parametrize(("said", "told"), [(None, "1"), (0.2, "1"), (29.5, "30"), (math.inf, "3600")])
async def test_a_client_is_told_to_come_again_when_the_last_tiers_engine_said(said: float | None, told: str) -> None:
    busy = EngineOverloaded("busy")
    busy.retry_after = said
    async with running([Reply(failure=EngineFailure("down"))], [Reply(failure=busy)]) as world:
        assert (await world.ask()).headers["retry-after"] == told


async def test_a_deadline_is_the_requests_not_the_engines() -> None:
    async with running([Reply(hang=True)], [Reply(hang=True)], route={"budget": {"deadline": 0.05}}) as world:
        assert error(await world.ask())[:3] == (504, "timeout_error", "deadline_exceeded")


async def test_a_bug_leaks_nothing() -> None:
    def bug(_call: object) -> str:
        raise ZeroDivisionError("the secret of the house")

    async with running(bug) as world:
        response = await world.ask()
    assert error(response) == (500, "api_error", "internal_error", None)
    assert "secret" not in response.text
    assert response.headers["x-request-id"]


async def test_a_tool_loops_history_reaches_the_engine() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "set_timer", "arguments": '{"minutes":5}'}}
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "timer, "}, {"type": "text", "text": "5"}]},
        {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]
    async with running(['{"message":"ok"}']) as world:
        assert (await world.post({"model": "auto", "messages": messages, "tools": TOOLS})).status_code == 200
        seen = world.small.calls[0].messages
    assert [message.role for message in seen] == ["developer", "user", "assistant", "tool"]
    assert seen[1].text == "timer, 5"
    assert seen[2].tool_calls[0].name == "set_timer"
    assert seen[3].tool_call_id == "call_1"


@pytest.mark.parametrize("model", ["auto/small", "auto/large"])
async def test_what_was_thought_is_told_by_both_names_that_servers_give_it(model: str) -> None:
    reply = Reply("four", reasoning="two and two")
    async with running([reply, reply], [reply, reply]) as world:
        message = (await world.ask(model=model)).json()["choices"][0]["message"]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks(await world.ask(model=model, stream=True))]
    assert (message["content"], message["reasoning"], message["reasoning_content"]) == ("four", "two and two", "two and two")
    for name in ("content", "reasoning", "reasoning_content"):
        assert "".join(delta.get(name) or "" for delta in deltas) == message[name]


async def test_sampling_reaches_the_engine() -> None:
    asked = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["a", "b"], "max_completion_tokens": 9, "logit_bias": {"5": -1}}
    async with running() as world:
        await world.ask(**asked, presence_penalty=0.1, frequency_penalty=-0.1, top_k=4)
        seen = world.small.calls[0].sampling
    assert (seen.temperature, seen.top_p, seen.seed, seen.stop, seen.max_tokens) == (0.5, 0.9, 7, ("a", "b"), 9)
    assert (seen.logit_bias, seen.presence_penalty, seen.frequency_penalty) == (((5, -1.0),), 0.1, -0.1)
    assert seen.extra == (("top_k", "4"),)


async def test_a_plain_completion_is_a_chat_of_one_message() -> None:
    async with running(["four"]) as world:
        whole = await world.client.post("/v1/completions", json={"model": "auto", "prompt": "two and two"})
        streamed = await world.client.post("/v1/completions", json={"model": "auto", "prompt": "two and two", "stream": True})
        assert world.small.calls[0].messages[0].text == "two and two"
    assert whole.json()["object"] == "text_completion"
    assert whole.json()["choices"] == [{"index": 0, "text": "four", "logprobs": None, "finish_reason": "stop"}]
    events = [json.loads(line.removeprefix("data: ")) for line in streamed.text.split("\n\n") if line and "DONE" not in line]
    assert "".join(choice["text"] for event in events for choice in event["choices"]) == "four"
