"""A bare FastAPI passthrough with the fastest client there is: what the language and the framework allow.

Run by the bench in an environment of its own: `passthrough.py UPSTREAM PORT`.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pyreqwest.client import ClientBuilder

TARGET, PORT = sys.argv[1], int(sys.argv[2])


@asynccontextmanager
async def life(app: FastAPI) -> AsyncIterator[None]:
    """One client for all requests."""
    async with ClientBuilder().build() as app.state.client:
        yield


app = FastAPI(lifespan=life)


@app.get("/health")
async def health() -> Response:
    """It runs."""
    return Response(b"{}", media_type="application/json")


@app.post("/v1/chat/completions")
async def chat(request: Request) -> Response:
    """Read, send on, give back; a stream piece by piece."""
    body = await request.body()
    sent = request.app.state.client.post(TARGET).header("content-type", "application/json").body_bytes(body)
    if b'"stream": true' in body:
        return StreamingResponse(_pieces(sent), media_type="text/event-stream")
    answer = await sent.build().send()
    return Response(bytes(await answer.bytes()), answer.status, media_type="application/json")


async def _pieces(sent: object) -> AsyncIterator[bytes]:
    async with sent.build_streamed() as answer:  # type: ignore[attr-defined]
        while (piece := await answer.body_reader.read()) is not None:
            yield bytes(piece)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="error", access_log=False)
