"""The engine against a real server: good answers, and each fault by its name."""

import asyncio
import json
import socket
from codecs import BOM_UTF8
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from router import contract as contracts
from router.errors import ConfigError, EngineFailure, EngineOverloaded, EngineProtocolError, EngineRejected, EngineTimeout
from router.ports import Engine
from router.types import Contract, Evidence, Message, Part, Sampling, Token, Usage
from server.engines.openai import OpenAIEngine, OpenAIOptions
from tests.server.engines.openai.play import call, engine, folded, gather, tools, usage
from tests.server.engines.openai.upstream import USAGE, Play, completion, delta, json_play, leaving, raw, serving, sse_play

GOOD = json_play(completion())
BUSY = json_play({"error": {"message": "busy"}}, 503)


def stream(*pieces: bytes, **more: Any) -> Play:
    return Play(pieces, content_type="text/event-stream", **more)


async def failing(play: Play, *, live: bool = True, **options: Any) -> EngineFailure:
    async with serving(play) as upstream, engine(upstream.url, **options) as made:
        with pytest.raises(EngineFailure) as caught:
            await gather(made, call(live=live))
    return caught.value


async def test_it_is_an_engine() -> None:
    async with serving(GOOD) as upstream, engine(upstream.url) as made:
        port: Engine = made
        assert (port.name, port.prompt_tokens(call()) > 0) == ("slm", True)


async def test_a_json_answer_is_read() -> None:
    async with serving(GOOD) as upstream, engine(upstream.url) as made:
        chunks = await gather(made, call())
    assert upstream.requests[0]["stream"] is False
    assert (folded(chunks).text, usage(chunks)) == ("hello", Usage(7, 3))


@pytest.mark.parametrize("play", [json_play(completion()), sse_play(delta("hel"), delta("lo", "stop"))], ids=["whole", "a stream"])
async def test_a_byte_order_mark_before_an_answer_is_passed_over(play: Play) -> None:
    """RFC 8259, 8.1; servers in .NET write one, and OpenAI's own client takes it."""
    marked = replace(play, pieces=(BOM_UTF8 + play.pieces[0], *play.pieces[1:]))
    async with serving(marked) as upstream, engine(upstream.url) as made:
        assert folded(await gather(made, call(live=True))).text == "hello"


async def test_what_an_error_with_a_byte_order_mark_says_is_told() -> None:
    assert "no such field" in (await failing(Play((BOM_UTF8 + b'{"error": {"message": "no such field"}}',), 400))).message


async def test_a_stream_is_read_as_it_comes() -> None:
    play = sse_play(delta("", role="assistant"), delta("hel"), delta("lo"), delta(finish="stop"), USAGE, pause=0.02)
    async with serving(play) as upstream, engine(upstream.url) as made:
        chunks = await gather(made, call(live=True))
    assert [chunk.text for chunk in chunks] == ["hel", "lo", "", ""]
    assert usage(chunks) == Usage(7, 3)


FORMED = contracts.json_object()
WORDS = ("I will ", "not.")


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("contract", "finish"), [(FORMED, "refusal"), (contracts.text(), "stop")])
async def test_a_refusal_in_place_of_a_form_ends_as_one_and_in_prose_is_a_text(live: bool, contract: Contract, finish: str) -> None:
    told = [delta(refusal=word) for word in WORDS]
    play = sse_play(*told, delta(finish="stop"), USAGE) if live else json_play(completion(None, refusal="".join(WORDS)))
    async with serving(play) as upstream, engine(upstream.url) as made:
        found = folded(await gather(made, call(live=live, contract=contract)))
    assert (found.text, found.finish_reason) == ("".join(WORDS), finish)


async def test_a_stream_request_answered_with_one_completion_is_read_as_such() -> None:
    async with serving(GOOD) as upstream, engine(upstream.url) as made:
        assert folded(await gather(made, call(live=True))).text == "hello"


async def test_a_json_request_answered_with_a_stream_is_read_as_such() -> None:
    async with serving(sse_play(delta("hello"), delta(finish="stop"))) as upstream, engine(upstream.url) as made:
        assert folded(await gather(made, call())).text == "hello"


async def test_cuts_inside_a_character_are_no_matter() -> None:
    whole = b"".join(sse_play(delta("né€𝄞"), delta(finish="stop")).pieces)
    play = stream(*(whole[i : i + 1] for i in range(len(whole))))
    async with serving(play) as upstream, engine(upstream.url) as made:
        assert folded(await gather(made, call(live=True))).text == "né€𝄞"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ((r"a\ud83d", r"\ude00b"), "a😀b"),
        ((r"\uD83D", r"\uDE00", "!"), "😀!"),
        ((r"\ud83d\ude00\ud83d", r"\ude00 \ud83d\ude00"), "😀😀 😀"),
        ((r"\\ud83d \ud83d", r"\ude00"), r"\ud83d 😀"),
    ],
)
async def test_a_character_that_a_server_cut_in_two_is_one(pieces: tuple[str, ...], text: str) -> None:
    events = [b'{"choices":[{"index":0,"delta":{"content":"%s"}}]}' % piece.encode() for piece in pieces]
    play = stream(*(b"data: " + event + b"\n\n" for event in events), *sse_play(delta(finish="stop")).pieces)
    async with serving(play) as upstream, engine(upstream.url) as made:
        assert folded(await gather(made, call(live=True))).text == text


async def test_several_choices_are_kept_apart() -> None:
    play = sse_play(delta("a", index=0), delta("x", index=1), delta("b", "stop", index=0), delta("y", "length", index=1), USAGE)
    async with serving(play) as upstream, engine(upstream.url) as made:
        chunks = await gather(made, call(live=True, sampling=Sampling(n=2)))
    assert [(folded(chunks, i).text, folded(chunks, i).finish_reason) for i in (0, 1)] == [("ab", "stop"), ("xy", "length")]


async def test_a_stream_without_done_is_whole_once_it_has_its_finish_reason() -> None:
    async with serving(sse_play(delta("a"), delta(finish="stop"), done=False)) as upstream, engine(upstream.url) as made:
        assert folded(await gather(made, call(live=True))).text == "a"


async def test_a_missing_usage_stays_missing() -> None:
    async with serving(sse_play(delta("a", "stop"))) as upstream, engine(upstream.url) as made:
        assert usage(await gather(made, call(live=True))) is None


async def test_a_whole_answer_without_usage_counts_as_more_than_one_token() -> None:
    said = completion("word " * 70)
    del said["usage"]
    async with serving(json_play(said)) as upstream, engine(upstream.url) as made:
        assert sum(chunk.pieces for chunk in await gather(made, call()) if chunk.text) == 100


ENDING = sse_play(delta(finish="stop")).pieces
FAULTS: list[tuple[str, Play, type[EngineFailure], str]] = [
    ("truncated", sse_play(delta("a"), done=False), EngineProtocolError, "before it was finished"),
    ("done too early", sse_play(delta("a")), EngineProtocolError, "before it was finished"),
    ("empty stream", sse_play(), EngineProtocolError, "before it was finished"),
    ("reset in a stream", stream(*sse_play(delta("a"), done=False).pieces, ending="abort"), EngineProtocolError, "closed the connection"),
    ("reset in JSON", Play((b'{"choi',), ending="abort"), EngineProtocolError, "closed the connection"),
    ("half of JSON", Play((b'{"choices": [',)), EngineProtocolError, "no valid JSON"),
    ("page under 200", Play((b"<html>Sign in</html>",), content_type="text/html"), EngineProtocolError, "a page"),
    ("page under 502", Play((b"<html>Bad Gateway</html>",), 502, "text/html"), EngineFailure, "status 502"),
    ("error under 200", json_play({"error": {"message": "broken", "code": 500}}), EngineProtocolError, "broken"),
    ("error text under 200", json_play({"error": "broken"}), EngineProtocolError, "broken"),
    ("overload under 200", json_play({"error": {"message": "later", "code": 503}}), EngineOverloaded, "later"),
    ("error in a stream", sse_play(delta("a"), {"error": {"message": "broken"}}), EngineProtocolError, "broken"),
    ("error event", stream(b'error: {"code": 500, "message": "broken"}\n\n'), EngineProtocolError, "broken"),
    ("invalid UTF-8 in a stream", stream(b'data: {"choices": "\xff"}\n\n'), EngineProtocolError, "UTF-8"),
    ("invalid UTF-8 in JSON", Play((b'{"choices": "\xff"}',)), EngineProtocolError, "UTF-8"),
    ("invalid JSON in a stream", stream(b"data: {nope}\n\n"), EngineProtocolError, "no valid JSON"),
    (
        "a lone surrogate",
        Play((rb'{"choices": [{"message": {"content": "\ud800"}, "finish_reason": "stop"}]}',)),
        EngineProtocolError,
        "JSON",
    ),
    (
        "half a character",
        stream(rb'data: {"choices": [{"delta": {"content": "\ud83d"}}]}' + b"\n\n", *ENDING),
        EngineProtocolError,
        "within a char",
    ),
    ("a second half", stream(rb'data: {"choices": [{"delta": {"content": "\ude00"}}]}' + b"\n\n", *ENDING), EngineProtocolError, "JSON"),
    ("a broken half", stream(rb'data: {"choices": [{"delta": {"content": "\ud83dx"}}]}' + b"\n\n", *ENDING), EngineProtocolError, "JSON"),
    ("deep nesting", Play((b'{"choices": ' + b"[" * 5000,)), EngineProtocolError, "JSON"),
    ("wrong shape", json_play({"choices": [{"message": {"content": 7}}]}), EngineProtocolError, "choices.0.message.content"),
    ("no choices", json_play({"id": "x"}), EngineProtocolError, "no choices"),
    ("fewer tokens than none", json_play(completion() | {"usage": {"prompt_tokens": -1}}), EngineProtocolError, "usage.prompt_tokens"),
    ("tokens beyond counting", json_play(completion() | {"usage": {"completion_tokens": 2**31}}), EngineProtocolError, "completion_tokens"),
    ("a list", json_play([1]), EngineProtocolError, "wrong shape"),
    ("empty body", Play(), EngineProtocolError, "JSON"),
    ("unknown finish", json_play(completion(finish="error")), EngineProtocolError, "'error'"),
    ("no finish", json_play(completion(finish=None)), EngineProtocolError, "before it was finished"),
    ("an unasked choice", sse_play(delta("a", index=3)), EngineProtocolError, "nobody asked for"),
    ("text after the end", sse_play(delta("a", "stop"), delta("b")), EngineProtocolError, "went on"),
    ("unoffered calls", json_play(completion(None, "tool_calls")), EngineProtocolError, "not offered"),
    ("compressed", Play((b"x",), headers=(("content-encoding", "gzip"),)), EngineProtocolError, "compressed"),
    ("redirect", Play(status=302, headers=(("location", "/elsewhere"),)), EngineProtocolError, "redirect"),
    ("bad request", json_play({"error": {"message": "no such field"}}, 400), EngineRejected, "no such field"),
    ("unprocessable", json_play({"detail": [{"loc": ["body"]}]}, 422), EngineRejected, "status 422"),
    ("overloaded", BUSY, EngineOverloaded, "busy"),
    ("rate limit", json_play({"error": {"message": "slow down"}}, 429), EngineOverloaded, "slow down"),
    ("gateway timeout", Play(status=504), EngineTimeout, "504"),
    ("no content", Play(status=204), EngineProtocolError, "204"),
]


@pytest.mark.parametrize(("play", "kind", "says"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
async def test_each_fault_has_its_name(play: Play, kind: type[EngineFailure], says: str) -> None:
    failure = await failing(play)
    assert type(failure) is kind
    assert says in failure.message


async def test_silence_in_a_stream_is_a_timeout() -> None:
    failure = await failing(stream(*sse_play(delta("a"), done=False).pieces, ending="hang"), timeouts={"read": 0.2})
    assert (type(failure), failure.code) == (EngineTimeout, "timeout")


async def test_the_whole_call_is_bounded() -> None:
    pieces = sse_play(*[delta("a")] * 50, done=False).pieces
    assert type(await failing(stream(*pieces, pause=0.05), timeouts={"total": 0.3})) is EngineTimeout
    assert type(await failing(Play(delay=5), live=False, timeouts={"total": 0.2})) is EngineTimeout


async def test_a_calls_own_deadline_counts_and_does_not_speak_against_the_server() -> None:
    async with serving(Play(delay=5)) as upstream, engine(upstream.url) as made:
        for seconds in (0.1, 0.0):
            with pytest.raises(EngineTimeout):
                await gather(made, call(seconds=seconds))
        assert made.replicas.members[0].breaker.failures == 0


async def test_an_answer_too_long_is_cut_off() -> None:
    failure = await failing(json_play(completion("x" * 5000)), max_response_bytes=2048)
    assert (type(failure), "too long" in failure.message) == (EngineProtocolError, True)


async def test_nobody_there_is_an_engine_failure() -> None:
    async with raw(b"") as url:
        pass
    async with engine(url) as made:
        with pytest.raises(EngineFailure, match="cannot be reached"):
            await gather(made, call())


async def test_a_connection_that_is_never_taken_is_a_timeout() -> None:
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        async with engine(f"http://127.0.0.1:{deaf.getsockname()[1]}/v1", timeouts={"connect": 0.2}) as made:
            with pytest.raises(EngineTimeout, match="connecting"):
                await gather(made, call())


async def test_a_server_that_holds_on_after_done_holds_up_nothing() -> None:
    play = stream(*sse_play(delta("a", "stop"), USAGE).pieces, ending="hang")
    async with serving(play) as upstream, engine(upstream.url) as made, asyncio.timeout(2):
        assert usage(await gather(made, call(live=True))) == Usage(7, 3)
        await upstream.left.wait()
        assert made.replicas.members[0].breaker.failures == 0


async def test_a_server_that_hangs_up_is_a_protocol_error() -> None:
    async with raw(b"") as url, engine(url) as made:
        with pytest.raises(EngineProtocolError, match="closed the connection"):
            await gather(made, call())


async def test_a_server_that_speaks_no_http_is_a_protocol_error() -> None:
    async with raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") as url, engine(url) as made:
        with pytest.raises(EngineProtocolError, match="no valid HTTP"):
            await gather(made, call())


async def test_closing_the_iterator_disconnects_upstream_at_once() -> None:
    play = stream(*sse_play(delta("a"), done=False).pieces, ending="hang")
    async with serving(play) as upstream, engine(upstream.url) as made:
        chunks = made.stream(call(live=True))
        assert (await anext(chunks)).text == "a"
        await chunks.aclose()
        await asyncio.wait_for(upstream.left.wait(), 1)
        assert made.replicas.members[0].inflight == 0


@pytest.mark.parametrize("live", [True, False])
async def test_cancelling_the_task_disconnects_upstream_at_once(live: bool) -> None:
    async with serving(Play(delay=30)) as upstream, engine(upstream.url, timeouts={}) as made:
        task = asyncio.create_task(gather(made, call(live=live)))
        while not upstream.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(upstream.left.wait(), 1)
        assert made.replicas.members[0].inflight == 0


@pytest.mark.parametrize("play", [GOOD, sse_play(delta("a", "stop"))])
async def test_a_finished_answer_leaves_its_connection_to_the_next(play: Play) -> None:
    async with serving(play) as upstream, engine(upstream.url) as made:
        for _ in range(3):
            await gather(made, call(live=True))
        assert len(upstream.connections) == 1


async def test_secrets_never_stand_in_messages() -> None:
    echo = json_play({"error": {"message": f"bad key s3cret-value in Bearer abc.def, sk-proj-abcdefgh12345\n{'x' * 900}"}}, 400)
    async with serving(echo) as upstream, engine(upstream.url, api_key_env="KEY", environment={"KEY": "s3cret-value"}) as made:
        with pytest.raises(EngineRejected) as caught:
            await gather(made, call())
        assert upstream.headers[0]["authorization"] == "Bearer s3cret-value"
        assert "s3cret-value" not in repr(made)
    message = caught.value.message
    assert not any(secret in message for secret in ("s3cret", "abc.def", "sk-proj", "\n"))
    assert len(message) < 400


async def test_a_refused_key_says_nothing_of_the_answer() -> None:
    failure = await failing(json_play({"error": {"message": "Incorrect API key provided: topsecret"}}, 401))
    assert (type(failure), "topsecret" in failure.message) == (EngineRejected, False)


async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with serving(GOOD) as upstream, engine(upstream.url) as made:
        assert folded(await gather(made, call())).text == "hello"


async def test_what_failed_before_an_answer_is_tried_again() -> None:
    async with serving(BUSY, GOOD) as upstream, engine(upstream.url, retries=1) as made:
        assert folded(await gather(made, call())).text == "hello"
        assert len(upstream.requests) == 2


async def test_nothing_is_tried_again_after_the_first_byte() -> None:
    async with serving(sse_play(delta("a"), done=False), GOOD) as upstream, engine(upstream.url, retries=5) as made:
        with pytest.raises(EngineProtocolError):
            await gather(made, call(live=True))
        assert len(upstream.requests) == 1


async def test_a_refusal_is_not_tried_again() -> None:
    async with serving(Play(status=400), GOOD) as upstream, engine(upstream.url, retries=5) as made:
        with pytest.raises(EngineRejected):
            await gather(made, call())
        assert len(upstream.requests) == 1


async def test_a_long_retry_after_is_not_waited_for() -> None:
    play = Play(status=429, headers=(("retry-after", "3600"),))
    async with serving(play, GOOD) as upstream, engine(upstream.url, retries=5) as made:
        with pytest.raises(EngineOverloaded) as caught:
            await gather(made, call())
        assert len(upstream.requests) == 1
        assert caught.value.retry_after == 3600


async def test_a_dead_replica_is_passed_over() -> None:
    async with raw(b"") as dead:
        pass
    async with serving(GOOD) as upstream, engine(dead, upstream.url, retries=1) as made:
        for number in range(6):
            asked = call(messages=(Message("user", (Part("text", f"conversation {number}"),)),))
            assert folded(await gather(made, asked)).text == "hello"


async def test_a_kept_connection_that_closes_as_a_call_comes_is_no_try_and_no_failure() -> None:
    body = json.dumps(completion("Hi")).encode()
    whole = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    async with leaving(whole, whole, b"") as upstream, engine(upstream.url, retries=0) as made:
        assert [folded(await gather(made, call())).text for _ in range(3)] == ["Hi"] * 3
        assert upstream.connections == 2
        assert made.replicas.members[0].breaker.failures == 0


async def test_failures_in_a_row_open_the_breaker_and_cancellations_do_not() -> None:
    async with serving(Play(status=500)) as upstream, engine(upstream.url) as made:
        for _ in range(5):
            assert made.replicas.available()
            with pytest.raises(EngineFailure):
                await gather(made, call())
        assert not made.replicas.available()
        with pytest.raises(EngineFailure, match="no server of this engine is available"):
            await gather(made, call())
        assert len(upstream.requests) == 5


@pytest.mark.parametrize("flavour", ["vllm", "openai"])
async def test_health_is_asked_and_closes_a_replica_until_it_is_back(flavour: str) -> None:
    async with serving(GOOD) as upstream, engine(upstream.url, flavour=flavour) as made:
        assert await made.healthy()
        upstream.health = 503
        assert not await made.healthy()
        assert not made.replicas.available()
        assert made.trouble.endswith("is answered with status 503")
        upstream.health = 200
        assert await made.healthy()
        assert made.replicas.available()


async def test_a_stream_that_is_cut_short_has_said_what_it_took() -> None:
    along = [
        {**delta(text), "usage": {"prompt_tokens": 31, "completion_tokens": made, "total_tokens": 31 + made}}
        for made, text in enumerate("abc", 1)
    ]
    async with serving(sse_play(*along, ending="hang", pause=0.05)) as upstream, engine(upstream.url) as made:
        chunks = made.stream(call(live=True))
        seen = [(await anext(chunks)).usage for _ in range(2)]
        await chunks.aclose()
    assert seen == [Usage(31, 1), Usage(31, 2)]


@pytest.mark.parametrize(("flavour", "goes_on"), [("vllm", True), ("openai", False)])
async def test_a_clients_trace_goes_on_in_servers_of_ones_own(flavour: str, goes_on: bool) -> None:
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    async with serving(GOOD) as upstream:
        made = OpenAIEngine.create(options(base_url=upstream.url, flavour=flavour), {}, trace=lambda: trace)
        await gather(made, call())
        await made.close()
    assert (upstream.headers[0].get("traceparent") == trace["traceparent"]) is goes_on


@pytest.mark.parametrize(("temperature", "told"), [(0.0, -0.5), (0.7, None), (None, None)])
async def test_processed_numbers_speak_of_the_model_only_where_it_decodes_greedily(temperature: float | None, told: float | None) -> None:
    """With `top_k: 1` each of them would be a certainty."""
    entry = {"token": "{}", "logprob": -0.5, "top_logprobs": [{"token": "{}", "logprob": -0.5}, {"token": "I", "logprob": -1.0}]}
    body: dict[str, Any] = completion("{}")
    body["choices"][0]["logprobs"] = {"content": [entry]}
    sampling = Sampling(temperature=temperature)
    async with serving(json_play(body)) as upstream, engine(upstream.url, logprobs="processed") as made:
        (token,) = folded(await gather(made, call(contracts.json_object(), evidence=Evidence.LOGPROBS, sampling=sampling))).tokens
    assert (token.text, token.logprob) == ("{}", told)


async def test_a_stop_token_that_comes_with_the_last_text_is_no_part_of_the_answer() -> None:
    last: dict[str, Any] = delta("}", "stop")
    last["choices"][0]["logprobs"] = {"content": [{"token": text, "logprob": -0.1, "top_logprobs": []} for text in ("}", "<|end|>")]}
    async with serving(sse_play(delta("{"), last)) as upstream, engine(upstream.url) as made:
        answer = folded(await gather(made, call(live=True, evidence=Evidence.LOGPROBS)))
    assert (answer.text, [token.text for token in answer.tokens]) == ("{}", ["}"])


async def test_logits_are_no_log_probabilities() -> None:
    entry = {"token": "{}", "logprob": 11.5, "top_logprobs": [{"token": "{}", "logprob": 11.5}, {"token": "I", "logprob": -1.0}]}
    body: dict[str, Any] = completion("{}")
    body["choices"][0]["logprobs"] = {"content": [entry]}
    async with serving(json_play(body)) as upstream, engine(upstream.url) as made:
        assert folded(await gather(made, call(evidence=Evidence.LOGPROBS))).tokens == (Token("{}"),)


async def test_native_calls_fold_to_the_contracts_form() -> None:
    calls = [{"index": 0, "id": "a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}]
    play = sse_play(delta(None, tool_calls=calls), delta(finish="tool_calls"), USAGE)
    async with serving(play) as upstream, engine(upstream.url, tools="native") as made:
        answer = folded(await gather(made, call(tools(), live=True)))
    assert not contracts.check(tools(), answer)
    assert [made.name for made in contracts.answer(tools(), answer).tool_calls] == ["get_weather"]


async def test_where_the_numbers_stand_can_be_said() -> None:
    entry = {"token": "{}", "logprob": -0.5, "top_logprobs": [{"token": "{}", "logprob": -0.5}, {"token": "I", "logprob": -1.0}]}
    body: dict[str, Any] = completion("{}")
    body["choices"][0]["logprobs"] = {"content": [entry]}
    async with serving(json_play(body)) as upstream, engine(upstream.url, logprobs="before") as made:
        (token,) = folded(await gather(made, call(contracts.json_object(), evidence=Evidence.LOGPROBS))).tokens
    assert (token.logprob, token.raw_logprob, token.free) == (None, -0.5, None)


def options(**more: Any) -> OpenAIOptions:
    return OpenAIOptions(**{"name": "slm", "base_url": "http://h/v1/", "model": "m", **more})


def test_one_address_or_several() -> None:
    assert options().base_url == ("http://h/v1",)
    assert len(options(base_url=["http://a/v1", "http://b/v1"]).base_url) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "ftp://h"},
        {"base_url": "http://user:pw@h/v1"},
        {"base_url": "http://h:99999/v1"},
        {"base_url": "http://h/two words/v1"},
        {"base_url": "http://h/gew\u00e4hlt/v1"},
        {"base_url": "http://h/v1?key=1"},
        {"base_url": []},
        {"nonsense": 1},
        {"retries": -1},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options(**wrong)


def test_a_missing_key_and_an_impossible_form_are_config_errors() -> None:
    with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
        OpenAIEngine.create(options(api_key_env="NO_SUCH_KEY"), {})
    with pytest.raises(ConfigError, match="regex"):
        OpenAIEngine.create(options(flavour="ollama", supports=["regex"]), {})


def test_what_is_supported_follows_the_flavour_or_the_option() -> None:
    regex = Contract("regex", "a")
    assert OpenAIEngine.create(options(), {}).supports(regex)
    assert not OpenAIEngine.create(options(flavour="ollama"), {}).supports(regex)
    few = OpenAIEngine.create(options(supports=["json_schema"]), {})
    assert [few.supports(one) for one in (Contract(), Contract("json_schema"), regex)] == [True, True, False]


async def test_what_comes_together_is_one_chunk_and_counts_as_what_it_was() -> None:
    told = [delta("a"), delta("b"), delta("c", finish="stop"), USAGE]
    play = sse_play(*told)
    async with serving(replace(play, pieces=(b"".join(play.pieces),))) as upstream, engine(upstream.url) as made:
        chunks = [chunk async for chunk in made.stream(call(live=True))]
    assert [(chunk.text, chunk.finish_reason, chunk.pieces) for chunk in chunks] == [("abc", "stop", 3), ("", None, 1)]
    assert chunks[-1].usage == Usage(7, 3)


async def test_thoughts_that_come_together_with_what_is_said_stay_apart_from_it() -> None:
    told = [
        delta(reasoning_content="so"),
        delta(reasoning_content="..."),
        delta("a"),
        delta("b"),
        delta(reasoning_content="hm"),
        delta("c"),
    ]
    play = sse_play(*told, delta("", finish="stop"))
    async with serving(replace(play, pieces=(b"".join(play.pieces),))) as upstream, engine(upstream.url) as made:
        chunks = [chunk async for chunk in made.stream(call(live=True))]
    assert [(chunk.reasoning, chunk.text, chunk.pieces) for chunk in chunks[:4]] == [
        ("so...", "", 2),
        ("", "ab", 2),
        ("hm", "", 1),
        ("", "c", 1),
    ]


async def test_what_came_before_a_failure_in_one_piece_is_told_before_it() -> None:
    play = sse_play(delta("a"), delta("b"), {"error": {"message": "out of memory"}})
    async with serving(replace(play, pieces=(b"".join(play.pieces),))) as upstream, engine(upstream.url) as made:
        chunks = made.stream(call(live=True))
        assert (await anext(chunks)).text == "ab"
        with pytest.raises(EngineFailure, match="out of memory"):
            await anext(chunks)
