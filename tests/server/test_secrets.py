"""Nothing that opens something reaches a client, a log or a metric, whatever an engine says and wherever it fails."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.build import gateway
from server.config import checked
from tests.serving import served

KEY = "sk-upstream-0123456789abcdef"
OTHER = "hf_abcdefghijklmnop"


def shouting(status: int) -> Any:
    """An engine that tells everything it knows: in its body, its headers, and under 200."""

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        given = dict(scope["headers"]).get(b"authorization", b"").decode()
        told = {"error": {"message": f"you sent {given}, mine is {OTHER}, key={KEY}", "type": "x", "code": KEY, "param": KEY}}
        headers = [(b"content-type", b"application/json"), (b"x-key", KEY.encode()), (b"location", f"http://{KEY}@x/".encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})

    return app


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_engines_secrets_stay_with_it(status: int, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM", KEY)
    with served(shouting(status)) as url:
        found = await _asked(f"{url}/v1", stream)
    assert KEY not in found
    assert OTHER not in found


async def test_an_engine_that_is_not_there_is_not_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM", KEY)
    found = await _asked("http://127.0.0.1:1/private/path", stream=False)
    assert KEY not in found
    assert "private" not in found


async def _asked(url: str, stream: bool) -> str:
    """All that can be read after one request: the answer, the log, the metrics."""
    engine = {"kind": "openai", "base_url": url, "model": "m", "api_key_env": "UPSTREAM"}
    route = {"tiers": [{"engine": "up", "price": {"prompt": 1, "completion": 1}}]}
    lines: list[str] = []
    made = gateway(checked({"engines": {"up": engine}, "routes": {"auto": route}}), Path("/nowhere"), write=lines.append)
    body = {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://localhost")
    async with made.app.router.lifespan_context(made.app), client:
        answer = await client.post("/v1/chat/completions", json=body, headers={"x-smallfirst-explain": "1"})
        metrics = await client.get("/metrics")
    assert answer.status_code >= 400
    return "".join([answer.text, str(answer.headers), metrics.text, *lines])
