"""A server that dies, in the middle of what it says and of what it drafts, and comes back."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator

import httpx
from asking import chat, ready, said
from gateway import Gateway

LONG = {"max_tokens": 900, "ignore_eos": True, "temperature": 0}


async def killed(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """The small tier's server dies in mid-answer: text that is shown ends in an error, a draft gives way to the large tier."""
    lines = [line async for line in _until_killed(gateway, client, "plain/small")]
    errors = [json.loads(line.removeprefix("data: "))["error"]["code"] for line in lines if line.startswith('data: {"error"')]
    gateway.check("killed while its text is live: one typed error and no end", errors == ["engine_error"] and "data: [DONE]" not in lines)
    seconds = await gateway.until(lambda: ready(client, "slm"), 900, "the restart")
    gateway.check("it is started again", True, f"{seconds:.0f} s")
    draft = asyncio.create_task(chat(client, "plain", "Hello", **LONG | {"max_tokens": 200}))
    await asyncio.sleep(0.3)
    os.kill(gateway.servers["slm"], signal.SIGKILL)
    answer = await draft
    tier, deferrals = answer.headers.get("x-smallfirst-tier"), answer.headers.get("x-smallfirst-deferrals")
    gateway.check("killed while it drafts: the large tier answers", (tier, deferrals) == ("large", "engine_error"), f"{tier}, {deferrals}")
    await gateway.until(lambda: ready(client, "slm"), 900, "the restart")
    again = await chat(client, "auto/small", "Hello")
    gateway.check("and it answers again", again.status_code == 200, said(again)[:60])


async def _until_killed(gateway: Gateway, client: httpx.AsyncClient, model: str) -> AsyncIterator[str]:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": True, **LONG}
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        shown = 0
        async for line in response.aiter_lines():
            if '"content":"' in line:
                shown += 1
                if shown == 5:  # once: its process may be gone by the next line
                    os.kill(gateway.servers["slm"], signal.SIGKILL)
            yield line
