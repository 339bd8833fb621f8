"""Every flavour reads what its server is documented to say: exchanges in recorded/, played by a real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from router import contract as contracts
from router.errors import EngineFailure
from router.types import Contract, Evidence, Token, Usage
from tests.server.engines.openai.play import call, engine, folded, gather, tools, usage
from tests.server.engines.openai.upstream import Play, json_play, serving, sse_play

FILES = sorted((Path(__file__).parent / "recorded").glob("*.json"))
EXCHANGES = [(found["flavour"], exchange) for file in FILES for found in [json.loads(file.read_text())] for exchange in found["exchanges"]]
CONTRACTS = {
    "none": Contract(),
    "choice": contracts.choice(("yes!", "yes", "no")),
    "regex": contracts.regex("[0-9]%"),
    "json_schema": contracts.json_schema({"type": "object"}, "answer", False),
    "tools": tools(),
    "formed tools": contracts.tools(tools().tools, form=contracts.json_object()),
}


def play(exchange: dict[str, Any]) -> Play:
    if "events" in exchange:
        return sse_play(*exchange["events"])
    return json_play(exchange["answer"], exchange.get("status", 200))


def seen(token: Token) -> list[object]:
    return [token.text, token.logprob, token.raw_logprob, token.free, len(token.top), len(token.masked_top)]


@pytest.mark.parametrize(("flavour", "exchange"), EXCHANGES, ids=[f"{flavour}: {exchange['name']}" for flavour, exchange in EXCHANGES])
async def test_an_exchange_is_read_as_its_server_means_it(flavour: str, exchange: dict[str, Any]) -> None:
    expect = exchange["expect"]
    async with serving(play(exchange)) as upstream, engine(upstream.url, flavour=flavour, tools=exchange.get("tools", "schema")) as made:
        asked = call(CONTRACTS[exchange.get("contract", "none")], live="events" in exchange, evidence=Evidence.LOGPROBS)
        if "error" in expect:
            with pytest.raises(EngineFailure) as caught:
                await gather(made, asked)
            assert (type(caught.value).__name__, caught.value.code) == (expect["error"], expect["code"])
            assert expect.get("message", "") in caught.value.message
            return
        chunks = await gather(made, asked)
    answer = folded(chunks)
    assert (answer.text, answer.finish_reason, answer.reasoning) == (expect["text"], expect["finish"], expect.get("reasoning", ""))
    assert usage(chunks) == Usage(*expect["usage"])
    assert [seen(token) for token in answer.tokens] == expect.get("tokens", [])
