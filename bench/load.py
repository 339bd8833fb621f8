"""Load for the benches: wrk as fast as it goes, and an open loop at a fixed rate."""

import asyncio
import json
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.machine import pinned

MARK = "00000000"
SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer sk-bench"
local file = io.open("{body}", "rb")
local body = file:read("*all")
file:close()
local head, tail = body:match("^(.-){mark}(.*)$")
local turn = 0
function request()
  turn = turn + 1
  return wrk.format(nil, nil, nil, head .. string.format("%0{digits}d", turn % 10 ^ {digits}) .. tail)
end
function done(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout + summary.errors.status
  io.write(string.format('\\nRESULT {{"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p99": %f, "mean": %f}}\\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6, latency.mean / 1e6))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second, those that failed, and seconds of latency."""

    rate: float
    failed: int
    p50: float
    p99: float


def wrk(url: str, request: bytes, folder: Path, *, connections: int, seconds: float, core: int) -> Load:
    """As fast as it goes over so many connections, each of which waits for its answer; `seconds` are whole ones.

    Each request has another number in place of MARK, so that nothing which remembers a request helps. Raises RuntimeError with wrk's words.
    """
    body, script = folder / "request.json", folder / "load.lua"
    body.write_bytes(request)
    script.write_text(SCRIPT.format(body=body, mark=MARK, digits=len(MARK)))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30s", "-s", str(script), url]
    done = subprocess.run(pinned(core, command), capture_output=True, text=True, check=False)  # noqa: S603  # wrk
    if done.returncode:
        raise RuntimeError(f"wrk {url}: {done.stdout.strip()} {done.stderr.strip()}")
    found = json.loads(done.stdout.rpartition("RESULT ")[2])
    return Load(found["requests"] / found["seconds"], found["failed"], found["p50"], found["p99"])


def middle(loads: Sequence[Load]) -> Load:
    """The median of each number, and all that failed."""
    return Load(
        statistics.median(one.rate for one in loads),
        sum(one.failed for one in loads),
        statistics.median(one.p50 for one in loads),
        statistics.median(one.p99 for one in loads),
    )


async def paced(url: str, request: bytes, rate: float, seconds: float) -> Load:
    """An open loop: a request every 1/rate seconds whatever became of the earlier ones; a connection for each that runs at once.

    Each request has another number in place of MARK.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    head = (
        f"POST {parts.path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(request)}\r\n\r\n".encode()
    )
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    took: list[float] = []
    failed = 0

    async def one(number: int, due: float) -> None:
        nonlocal failed
        reader, writer = idle.pop() if idle else await asyncio.open_connection(host, port)
        writer.write(head + request.replace(MARK.encode(), b"%0*d" % (len(MARK), number)))
        if not (await _answer(reader)).startswith(b"HTTP/1.1 200"):
            failed += 1
        took.append(time.perf_counter() - due)
        idle.append((reader, writer))

    async with asyncio.TaskGroup() as group:
        started = time.perf_counter()
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(number, due))
    for _, writer in idle:
        writer.close()
    cuts = statistics.quantiles(took, n=100)
    return Load(len(took) / (time.perf_counter() - started), failed, cuts[49], cuts[98])


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), None)
    if length is None:
        await reader.readuntil(b"\r\n0\r\n\r\n")
    else:
        await reader.readexactly(length)
    return head
