"""Engines for the tests, and what a call of theirs gives."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from router.contract import tools as tools_contract
from router.types import Choice, Chunk, Contract, EngineCall, Evidence, Message, Part, Sampling, Tool, ToolChoice, Usage
from server.engines.openai import OpenAIEngine, OpenAIOptions

USER = Message("user", (Part("text", "Hello"),))
WEATHER = Tool("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}, "The weather.")
CLOCK = Tool("get_time", {"type": "object", "properties": {}})


def call(contract: Contract = Contract(), *, messages: tuple[Message, ...] = (USER,), live: bool = False, **more: Any) -> EngineCall:
    return EngineCall(
        "req-1", messages, contract, more.pop("sampling", Sampling()), more.pop("evidence", Evidence.NONE), live, more.pop("seconds", None)
    )


def tools(choice: ToolChoice = ToolChoice(), *, parallel: bool = True) -> Contract:
    return tools_contract((WEATHER, CLOCK), choice, parallel)


@asynccontextmanager
async def engine(*urls: str, environment: dict[str, str] | None = None, **options: Any) -> AsyncGenerator[OpenAIEngine, None]:
    options = {"retries": 0, "timeouts": {"connect": 1, "read": 1, "total": 3}, **options}
    made = OpenAIEngine.create(OpenAIOptions(name="slm", base_url=urls, model="m", **options), environment or {})
    try:
        yield made
    finally:
        await made.close()


async def gather(made: OpenAIEngine, asked: EngineCall) -> list[Chunk]:
    async with aclosing(made.stream(asked)) as chunks:
        return [chunk async for chunk in chunks]


def folded(chunks: list[Chunk], index: int = 0) -> Choice:
    own = [chunk for chunk in chunks if chunk.index == index]
    finish = next(chunk.finish_reason for chunk in own if chunk.finish_reason)
    tokens = tuple(token for chunk in own for token in chunk.tokens)
    return Choice("".join(chunk.text for chunk in own), finish, tokens, "".join(chunk.reasoning for chunk in own))


def usage(chunks: list[Chunk]) -> Usage | None:
    return chunks[-1].usage
