"""What an upstream can do wrong, one play a fault; the docstrings stand on the page of faults."""

import asyncio
import json

from tests.server.engines.openai.upstream import completion, delta
from tests.server.faults.chaos import TEXT, Fault, Wire, answer, chunked, events, head, whole

ENDLESS = 1_000_000_000
FLOOD = b"0123456789abcdef" * 4096


async def good(wire: Wire) -> None:
    """No fault."""
    await wire.good()


async def slow(wire: Wire) -> None:
    """Sends its answer in crumbs."""
    data = whole(wire.streamed)
    for start in range(0, len(data), 64):
        await wire.send(data[start : start + 64])
        await asyncio.sleep(0.01)
    wire.told += 1


async def silent(wire: Wire) -> None:
    """Takes the request and never answers."""
    await wire.silence()


async def stalls(wire: Wire) -> None:
    """Begins its answer and goes silent."""
    await wire.open()
    await wire.silence()


async def half_open(wire: Wire) -> None:
    """Answers once and then is gone without closing the connection; whoever connects anew is served."""
    await (wire.silence() if wire.turn == 1 else wire.good())


async def stale(wire: Wire) -> None:
    """Resets the kept connection as the next request comes; whoever connects anew is served."""
    if wire.turn == 1:
        wire.reset()
    else:
        await wire.good()


async def resets(wire: Wire) -> None:
    """Resets the connection instead of an answer."""
    wire.reset()


async def resets_midway(wire: Wire) -> None:
    """Resets the connection within its answer."""
    await wire.begin()
    wire.reset()


async def truncates(wire: Wire) -> None:
    """Closes the connection within its answer."""
    await wire.begin()
    wire.writer.close()


async def cut(wire: Wire) -> None:
    """Ends its answer properly in the middle of the text."""
    if wire.streamed:
        pieces = [*events()[:2], b""]
        await wire.send(head("content-type: text/event-stream", "transfer-encoding: chunked") + b"".join(map(chunked, pieces)))
    else:
        await wire.send(answer(json.dumps(completion(TEXT)).encode()[:60]))


async def claims_more(wire: Wire) -> None:
    """Says that its answer is longer than it is, and keeps the connection."""
    if wire.streamed:
        await wire.send(head("content-type: text/event-stream", "content-length: 100000") + b"".join(events()[:3]))
    else:
        body = json.dumps(completion(TEXT)).encode()
        await wire.send(answer(body, len(body) + 100))
    await wire.silence()


async def claims_less(wire: Wire) -> None:
    """Says that its answer is shorter than it is: the rest lies on the connection."""
    body = b"".join(events()) if wire.streamed else json.dumps(completion(TEXT)).encode()
    kind = "text/event-stream" if wire.streamed else "application/json"
    await wire.send(head(f"content-type: {kind}", f"content-length: {len(body) - 80 if not wire.streamed else 200}") + body)


async def answers_twice(wire: Wire) -> None:
    """Sends a second answer that nobody asked for, which the next request on the connection could take for its own."""
    await wire.send(whole(wire.streamed) + whole(wire.streamed, "somebody else's answer"))
    wire.told += 1


async def no_http(wire: Wire) -> None:
    """Speaks another protocol."""
    await wire.send(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    wire.writer.close()


async def page(wire: Wire) -> None:
    """Answers with a page of HTML and 200."""
    body = b"<!doctype html><title>Maintenance</title>"
    await wire.send(head("content-type: text/html", f"content-length: {len(body)}") + body)


async def wrong_shape(wire: Wire) -> None:
    """Answers with JSON that is no completion."""
    await wire.send(answer(b'{"choices": [{"message": {"content": 17}}]}'))


async def broken_text(wire: Wire) -> None:
    """Sends bytes that are no UTF-8."""
    if wire.streamed:
        opening = head("content-type: text/event-stream", "transfer-encoding: chunked")
        bad = b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}\n\n'
        await wire.send(opening + chunked(events()[1]) + chunked(bad) + chunked(b""))
    else:
        await wire.send(answer(json.dumps(completion("~~")).encode().replace(b"~~", b"\xff\xfe")))


async def aborts(wire: Wire) -> None:
    """Ends its answer with a finish reason that stands for an abort."""
    if wire.streamed:
        last = f"data: {json.dumps(delta(None, 'abort'))}\n\n".encode()
        pieces = [*events()[:3], last, b"data: [DONE]\n\n", b""]
        await wire.send(head("content-type: text/event-stream", "transfer-encoding: chunked") + b"".join(map(chunked, pieces)))
    else:
        await wire.send(answer(json.dumps(completion(TEXT, "abort")).encode()))


async def floods_headers(wire: Wire) -> None:
    """Sends header lines without end."""
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(ENDLESS):
        await wire.send(f"x-{number}: {'x' * 1000}\r\n".encode())


async def floods_body(wire: Wire) -> None:
    """Sends a body without end and without a line break."""
    kind = "text/event-stream" if wire.streamed else "application/json"
    await wire.send(head(f"content-type: {kind}", f"content-length: {ENDLESS}") + (b"data: " if wire.streamed else b'{"x": "'))
    while True:
        await wire.send(FLOOD)


async def floods_events(wire: Wire) -> None:
    """Sends good events without end."""
    await wire.send(head("content-type: text/event-stream", "transfer-encoding: chunked") + chunked(events()[1]))
    await asyncio.sleep(0.4)
    piece = chunked(events()[1] * 200)
    while True:
        await wire.send(piece)


async def fails(wire: Wire) -> None:
    """Answers with status 500."""
    await wire.send(answer(b'{"error": {"message": "CUDA error: an illegal memory access"}}', None, "500 Internal Server Error"))


async def overloaded(wire: Wire) -> None:
    """Answers with status 503."""
    await wire.send(answer(b'{"error": {"message": "no capacity"}}', None, "503 Service Unavailable"))


async def limits(wire: Wire) -> None:
    """Answers with status 429 and a long Retry-After."""
    await wire.send(answer(b'{"error": {"message": "slow down"}}', None, "429 Too Many Requests", "retry-after: 60"))


async def redirects(wire: Wire) -> None:
    """Sends the request elsewhere."""
    await wire.send(head("location: http://127.0.0.1:9/v1/chat/completions", "content-length: 0", status="307 Temporary Redirect"))


FAULTS: dict[str, Fault] = {
    play.__name__.replace("_", "-"): play
    for play in (
        good, slow, silent, stalls, half_open, stale, resets, resets_midway, truncates, cut, claims_more, claims_less,
        answers_twice, no_http, page, wrong_shape, broken_text, aborts, floods_headers, floods_body, floods_events,
        fails, overloaded, limits, redirects,
    )
}  # fmt: skip
TWICE = frozenset({"half-open", "stale", "claims-less", "answers-twice"})
"""Faults that only the second request on a connection meets."""
HANGS = frozenset({"silent", "stalls", "half-open", "claims-more"})
"""Faults that only a timeout ends."""
