"""Run as a program: asks a gateway for things that name foreign addresses, prints to where this process connected or what it looked up."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
from starlette.responses import JSONResponse

from server.build import gateway
from server.config import checked
from tests.server.harness import TOOLS
from tests.serving import served

FOREIGN = "http://169.254.169.254/latest/meta-data"
PARTS = [
    {"type": "text", "text": f"see {FOREIGN}"},
    {"type": "image_url", "image_url": {"url": FOREIGN}},
]
SCHEMA = {"type": "object", "$schema": f"{FOREIGN}/schema", "$id": FOREIGN, "properties": {"a": {"type": "string", "format": "uri"}}}
REMOTE = {"type": "object", "properties": {"a": {"$ref": f"{FOREIGN}/schema.json"}}}


def form(schema: object) -> dict[str, object]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}


BODIES = [
    {"messages": [{"role": "user", "content": PARTS}]},
    {"messages": [{"role": "user", "content": FOREIGN}], "metadata": {"webhook": FOREIGN, "callback_url": FOREIGN}},
    {"messages": [{"role": "user", "content": "x"}], **form(SCHEMA)},
    {"messages": [{"role": "user", "content": "x"}], **form(REMOTE)},
    {"messages": [{"role": "user", "content": "x"}], "tools": TOOLS},
    {"messages": [{"role": "user", "content": "x"}], "base_url": FOREIGN},
]


ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


async def engine(scope: Any, receive: Any, send: Any) -> None:
    """Says the same to everybody."""
    if scope["type"] == "http":
        await JSONResponse(ANSWER)(scope, receive, send)


async def ask(port: int) -> None:
    """Every body, through a gateway whose one engine is the other one."""
    route = {"tiers": [{"engine": "up", "price": {"prompt": 1, "completion": 1}, "modalities": ["text", "image"]}]}
    given = {"kind": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "model": "auto"}
    made = gateway(checked({"engines": {"up": given}, "routes": {"auto": route}}), Path("/nowhere"), write=lambda line: None)
    headers = {"x-forwarded-host": FOREIGN, "referer": FOREIGN}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://localhost", headers=headers)
    async with made.app.router.lifespan_context(made.app), client:
        codes = [(await client.post("/v1/chat/completions", json={"model": "auto", **body})).status_code for body in BODIES]
    if 200 not in codes:
        raise RuntimeError(f"nothing was answered: {codes}")


def main() -> None:
    """Watch while asking."""
    seen: list[str] = []
    with served(engine) as url:
        port = int(url.rpartition(":")[2])

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if event == "socket.connect":
                seen.append(str(arguments[1]))
            elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
                seen.append(str(arguments[0]))

        sys.addaudithook(hook)
        asyncio.run(ask(port))
        print(json.dumps({"port": port, "seen": sorted(set(seen))}))


if __name__ == "__main__":
    main()
