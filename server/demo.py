"""The demonstration: sample requests of rising difficulty, sent with the official client to a server that it starts."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import httpx
from openai import APIStatusError, OpenAI
from openai.types.chat import ChatCompletionMessage, ChatCompletionToolParam

from router.functions import Registry

REQUESTS = (
    "set a timer for 10 minutes",
    "call Maria",
    "what's the weather in Lisbon tomorrow?",
    "turn off the kitchen lights",
    "how much is 50 euros in dollars",
    "add milk, eggs and bread to the shopping list",
    "remind me to water the plants on friday",
    "text Tom that i'm running late",
    "wake me up at 6:30 am on monday",
    "put a team meeting on thursday at 2 pm in my calendar",
    "take me to the nearest pharmacy on foot",
    "dim the bedroom lights to 30 percent",
    "set an alarm for quarter past seven in the evening",
    "timer for an hour and a half please",
    "book me a flight to Rome",
    "set a timer for 5 minutes, no wait, make it 7",
    "play some jazz and turn on the living room lights",
    "don't call Anna, send her a message that dinner is ready",
    "it's wednesday today, remind me to call the bank in two days",
    "wake me an hour before 8 am tomorrow, text Ben that i'll be late and start a 20 minute timer",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One answered request; `confidence` is `None` where no calibrated verifier spoke."""

    request: str
    tier: str
    confidence: float | None
    deferrals: str
    answer: str
    cost_usd: float
    ms: float


PATIENCE = 120.0
"""Seconds that a server may take to get ready: loading models takes a few, a machine with much else to do many more."""
_TOLD_EVERY = 10.0


class NotReady(RuntimeError):
    """The server that was started does not serve."""


def _silent(line: str) -> None:
    """Where nobody is told."""


@contextlib.contextmanager
def serving(settings: Path, *, patience: float = PATIENCE, tell: Callable[[str], None] = _silent) -> Iterator[str]:
    """The address of a server started with these settings on a free port; it is stopped at the end, and ends with this process.

    Raises NotReady where it ends, or is not ready after `patience` seconds; `tell` hears of a wait that is long.
    """
    port = free_port()
    command = [sys.executable, "-m", "server.attended", "serve", "--config", str(settings), "--port", str(port)]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as process,  # noqa: S603  # our own command
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, patience, said, tell)
            yield url
        finally:
            _stop(process)


def ask(client: OpenAI, model: str, request: str, registry: Registry) -> Row:
    """Send one request with all the functions of the registry and read the answer with its headers."""
    tools: list[ChatCompletionToolParam] = [
        {"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}}
        for tool in registry.tools()
    ]
    started = time.perf_counter()
    try:
        raw = client.chat.completions.with_raw_response.create(model=model, messages=[{"role": "user", "content": request}], tools=tools)
        headers, answer = raw.headers, shown(raw.parse().choices[0].message)
    except APIStatusError as error:
        headers, answer = error.response.headers, f"error {error.status_code}: {error.code}"
    confidence = headers.get("x-smallfirst-confidence")
    return Row(
        request=request,
        tier=headers.get("x-smallfirst-tier", "-"),
        confidence=float(confidence) if confidence else None,
        deferrals=headers.get("x-smallfirst-deferrals", ""),
        answer=answer,
        cost_usd=float(headers.get("x-smallfirst-cost-usd", 0.0)),
        ms=round(1000 * (time.perf_counter() - started), 1),
    )


def shown(message: ChatCompletionMessage) -> str:
    """Calls as a person would write them, or the text."""
    calls = [call.function for call in message.tool_calls or () if call.type == "function"]
    if not calls:
        return message.content or ""
    return "; ".join(f"{call.name}({_arguments(call.arguments)})" for call in calls)


def table(rows: Sequence[Row]) -> str:
    """For the terminal: one line a request."""
    heads = f"{'request':52} {'tier':5} {'conf':>5}  {'deferred':12} {'$':>9} {'ms':>7}  answer"
    return "\n".join([heads, *(_line(row) for row in rows)])


def summary(rows: Sequence[Row], large: Sequence[Row]) -> str:
    """Share kept on the small tier, and the cost of all requests against the same requests sent to the large tier alone."""
    kept = sum(row.tier != large[0].tier for row in rows)
    cost, always = sum(row.cost_usd for row in rows), sum(row.cost_usd for row in large)
    return (
        f"{kept} of {len(rows)} kept on the small tier ({kept / len(rows):.0%}); cost ${cost:.2e} against ${always:.2e} always-large "
        f"({cost / always:.0%})"
    )


def as_json(rows: Sequence[Row]) -> str:
    """The rows as a JSON array."""
    return json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False)


def _line(row: Row) -> str:
    request = row.request if len(row.request) <= 52 else row.request[:51] + "…"
    confidence = "-" if row.confidence is None else f"{row.confidence:.2f}"
    return f"{request:52} {row.tier:5} {confidence:>5}  {row.deferrals or '-':12} {row.cost_usd:9.1e} {row.ms:7.1f}  {row.answer}"


def _arguments(text: str) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in json.loads(text).items())


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes], patience: float, said: IO[bytes], tell: Callable[[str], None]) -> None:
    began, told, state = time.monotonic(), _TOLD_EVERY, "it does not answer yet"
    while (passed := time.monotonic() - began) < patience:
        if process.poll() is not None:
            raise NotReady(f"the server ended with exit code {process.returncode}: {_read(said)}")
        if passed > told:
            told += _TOLD_EVERY
            tell(f"waiting for the server since {passed:.0f} s, at most {patience:g} s: {state}")
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(f"{url}/readyz", timeout=2)
            if answer.is_success:
                return
            state = f"/readyz says {answer.text}"
        time.sleep(0.05)
    raise NotReady(" ".join(filter(None, (f"the server was not ready within {patience:g} s: {state}", _read(said)))))


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def _read(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace").strip()
