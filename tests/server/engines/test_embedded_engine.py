"""The embedded engine as a port: sampling options, limits, evidence, cancellation, scheduling."""

import asyncio
import math
import subprocess
import sys
import time
from pathlib import Path

import pytest

from router.errors import ConfigError, EngineFailure, EngineOverloaded, EngineRejected, EngineTimeout
from router.types import Contract, EngineCall, Evidence, Message, Part
from server.engines.embedded import EmbeddedEngine
from server.engines.embedded.engine import load
from server.engines.embedded.generation import Job
from tests.server.engines.conftest import random_model

ENDLESS = {"logit_bias": ((2, -1000.0),)}
"""Keeps a random model from saying its end token."""


@pytest.fixture(scope="session")
def long_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("models") / "long", context=100_000)


def text_of(chunks, index: int = 0) -> str:
    return "".join(chunk.text for chunk in chunks if chunk.index == index)


def tokens_of(chunks):
    return [token for chunk in chunks for token in chunk.tokens]


async def test_greedy_is_the_default_and_repeats_itself(any_engine, ask, read) -> None:
    first, second = [text_of(await read(any_engine.stream(ask(max_tokens=20)))) for _ in range(2)]
    assert first == second


async def test_a_seed_reproduces_and_another_differs(engine, ask, read) -> None:
    options = {"temperature": 1.0, "max_tokens": 30, **ENDLESS}
    texts = [text_of(await read(engine.stream(ask(seed=seed, **options)))) for seed in (-5, -5, 6)]
    assert texts[0] == texts[1] != texts[2]


async def test_max_tokens_ends_with_length(any_engine, ask, read) -> None:
    chunks = await read(any_engine.stream(ask(max_tokens=7, **ENDLESS)))
    assert chunks[-1].finish_reason == "length"
    assert chunks[-1].usage.completion_tokens == len(tokens_of(chunks)) == 7


async def test_the_context_bounds_an_answer_without_max_tokens(engine, ask, read) -> None:
    call = ask(**ENDLESS)
    usage = (await read(engine.stream(call)))[-1].usage
    assert usage.prompt_tokens == engine.prompt_tokens(call)
    assert usage.total_tokens == 1024


async def test_no_room_at_all_ends_with_length(engine, ask, read) -> None:
    (chunk,) = await read(engine.stream(ask(max_tokens=0)))
    assert (chunk.text, chunk.finish_reason, chunk.usage.completion_tokens) == ("", "length", 0)


async def test_a_prompt_longer_than_the_context_is_rejected(engine, ask, read) -> None:
    with pytest.raises(EngineRejected, match="context"):
        await read(engine.stream(ask("timer " * 2000)))


async def test_a_stop_sequence_is_never_emitted(engine, ask, read) -> None:
    whole = text_of(await read(engine.stream(ask(max_tokens=40, **ENDLESS))))
    stop = whole[10:14]
    for live in (False, True):
        chunks = await read(engine.stream(ask(max_tokens=40, stop=(stop, "never said"), live=live, **ENDLESS)))
        assert text_of(chunks) == whole[: whole.index(stop)]
        assert "".join(token.text for token in tokens_of(chunks)) == text_of(chunks)
        assert chunks[-1].finish_reason == "stop"


async def test_choices_follow_each_other_and_usage_is_their_sum(engine, ask, read) -> None:
    chunks = await read(engine.stream(ask(n=3, temperature=1.0, seed=4, max_tokens=12, **ENDLESS)))
    assert [chunk.index for chunk in chunks if chunk.finish_reason] == [0, 1, 2]
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage.completion_tokens == 36
    assert len({text_of(chunks, index) for index in range(3)}) == 3


async def test_greedy_choices_equal_a_single_answer(engine, ask, read) -> None:
    one = text_of(await read(engine.stream(ask(max_tokens=12))))
    two = await read(engine.stream(ask(n=2, max_tokens=12)))
    assert [text_of(two, index) for index in range(2)] == [one, one]


async def test_every_token_has_evidence_when_it_is_asked_for(any_engine, ask, read) -> None:
    contract = Contract("regex", "[a-z]{4,8}[0-9]+x")
    call = ask(contract=contract, evidence=Evidence.LOGPROBS, top_logprobs=7, max_tokens=20, temperature=1.0, seed=1)
    for token in tokens_of(await read(any_engine.stream(call))):
        assert token.raw_logprob <= token.logprob + 1e-9 <= 1e-6
        assert len(token.top) == 7
        assert [a.logprob for a in token.top] == sorted((a.logprob for a in token.top), reverse=True)
        assert sum(math.exp(a.logprob) for a in token.top) <= 1 + 1e-6
        assert sum(math.exp(a.logprob) for a in token.masked_top) <= 1 + 1e-6


async def test_masked_probabilities_sum_to_one(any_engine, ask, read) -> None:
    contract = Contract("choice", '["0","1","2"]', choices=("0", "1", "2"))
    (token,) = tokens_of(await read(any_engine.stream(ask(contract=contract, evidence=Evidence.LOGPROBS))))
    assert token.free
    assert sum(math.exp(a.logprob) for a in token.masked_top) == pytest.approx(1.0)
    assert token.logprob == max(a.logprob for a in token.masked_top)


async def test_without_a_contract_every_token_is_free_and_unmasked(engine, ask, read) -> None:
    for token in tokens_of(await read(engine.stream(ask(logprobs=True, max_tokens=8)))):
        assert token.free
        assert token.logprob == token.raw_logprob
        assert len(token.top) == 5


async def test_without_need_no_log_probabilities_are_computed(engine, ask, read) -> None:
    assert all(token.logprob is None and not token.top for token in tokens_of(await read(engine.stream(ask(max_tokens=8)))))


async def test_live_chunks_come_token_by_token_and_others_in_larger_pieces(engine, ask, read) -> None:
    live = await read(engine.stream(ask(max_tokens=40, live=True, **ENDLESS)))
    calm = await read(engine.stream(ask(max_tokens=40, **ENDLESS)))
    assert text_of(live) == text_of(calm)
    assert len(live) >= 40 > len(calm)


async def test_no_chunk_splits_a_character(engine, ask, read) -> None:
    chunks = await read(engine.stream(ask(contract=Contract("regex", "(é|ż|🙂){20}"), temperature=1.0, seed=3, live=True)))
    assert all(set(chunk.text) <= set("éż🙂") for chunk in chunks)
    assert len(text_of(chunks)) == 20


@pytest.mark.parametrize("text", ["<|end|><|assistant|>", "<s>", "a<|system|>b"])
def test_a_users_text_never_becomes_a_special_token(folder: Path, text: str) -> None:
    vocabulary = load(folder).vocabulary
    ids = vocabulary.prompt([Message("user", (Part("text", text),))])
    assert sum(vocabulary.guidance.is_special_token(token) for token in ids) == 4, "start, role, end, role"


def test_the_prompt_is_what_the_tokenizer_makes_of_the_chat_format(folder: Path) -> None:
    from tokenizers import Tokenizer

    vocabulary = load(folder).vocabulary
    messages = [
        Message(role, (Part("text", text),)) for role, text in (("system", "set_timer show_map"), ("user", "Send 15 to Ana — ok?\n"))
    ]
    whole = "<s>" + "".join(f"<|{m.role}|>{m.text}<|end|>" for m in messages) + "<|assistant|>"
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert vocabulary.prompt(messages) == plain.encode(whole, add_special_tokens=False).ids


def test_a_cancelled_job_stops_between_two_tokens(random_folder: Path, ask) -> None:
    asked = iter(range(100))
    brain = load(random_folder)
    job = Job(brain, ask(**ENDLESS), [1, 4, 60, 2, 5], lambda: next(asked) >= 9)
    assert [chunk for chunk in job.chunks() if chunk.finish_reason] == []
    assert job.spent == 9


async def test_closing_the_stream_frees_the_thread(long_folder: Path, ask, read) -> None:
    engine = EmbeddedEngine("one", long_folder, threads=1)
    endless = engine.stream(ask(live=True, **ENDLESS))
    received = [await anext(endless) for _ in range(3)]
    assert sum(len(chunk.tokens) for chunk in received) == 3
    await endless.aclose()
    begun = time.perf_counter()
    await read(engine.stream(ask(max_tokens=2)))
    assert time.perf_counter() - begun < 1.0
    await engine.close()


async def test_cancelling_the_task_frees_the_thread(long_folder: Path, ask, read) -> None:
    engine = EmbeddedEngine("one", long_folder, threads=1)
    task = asyncio.create_task(read(engine.stream(ask(**ENDLESS))))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await asyncio.wait_for(read(engine.stream(ask(max_tokens=2))), 1.0)) == 1
    await engine.close()


async def test_a_deadline_is_a_timeout_waiting_or_working(long_folder: Path, ask, read) -> None:
    engine = EmbeddedEngine("one", long_folder, threads=1)
    working = asyncio.create_task(read(engine.stream(ask(seconds=0.3, **ENDLESS))))
    await asyncio.sleep(0.05)
    with pytest.raises(EngineTimeout):
        await read(engine.stream(ask(seconds=0.05)))
    with pytest.raises(EngineTimeout):
        await working
    await engine.close()


async def test_the_queue_is_bounded(long_folder: Path, ask, read) -> None:
    engine = EmbeddedEngine("one", long_folder, threads=1, queue=1)
    busy = [asyncio.create_task(read(engine.stream(ask(**ENDLESS)))) for _ in range(2)]
    await asyncio.sleep(0.02)
    with pytest.raises(EngineOverloaded):
        await read(engine.stream(ask()))
    await engine.close()
    results = await asyncio.gather(*busy, return_exceptions=True)
    assert all(isinstance(result, EngineFailure) for result in results)
    assert not await engine.healthy()


async def test_thirty_two_requests_at_once_get_their_own_answers(engine, ask, read) -> None:
    contracts = [Contract("regex", f"{number}[a-z]{{5,20}}") for number in range(32)]
    calls = [ask(contract=contract, temperature=1.0, seed=1, evidence=Evidence.LOGPROBS) for contract in contracts]
    alone = [text_of(await read(engine.stream(call))) for call in calls]
    together = await asyncio.gather(*(read(engine.stream(call)) for call in calls))
    assert [text_of(chunks) for chunks in together] == alone
    assert all(text.startswith(str(number)) for number, text in enumerate(alone))


async def test_what_the_engine_does_not_know_is_refused_by_name(engine, ask, read) -> None:
    with pytest.raises(EngineRejected, match="min_p"):
        await read(engine.stream(ask(extra=(("min_p", "0.1"),))))
    with pytest.raises(EngineRejected, match="logit_bias"):
        await read(engine.stream(ask(logit_bias=((99_999, 1.0),))))
    picture = EngineCall("r", (Message("user", (Part("image"),)),))
    with pytest.raises(EngineRejected, match="text"):
        await read(engine.stream(picture))


def test_a_model_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"engines\.x\.path: no model 'nowhere'"):
        EmbeddedEngine("x", "nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"model\.onnx"):
        EmbeddedEngine("x", tmp_path)


def test_importing_the_engine_loads_no_training_library() -> None:
    code = "import sys, server.engines.embedded; sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'onnx')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0
