"""Sends the demonstration's requests and some of every other kind to a gateway, with the official client, for a while.

python deploy/verify/load.py --url http://127.0.0.1:8080 --seconds 120
"""

import argparse
import collections
import itertools
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from openai import APIConnectionError, APIStatusError, OpenAI

from router.functions import Registry, load
from server.demo import REQUESTS, ask

MODEL = "auto"
NOBODY = "-"
"""The tier of a row of the demonstration that was not answered."""
REFUSED = 1.0
"""Seconds to wait after an error: nobody asks on at once where a budget is spent."""
FORM = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "warm": {"type": "boolean"}},
    "required": ["city", "warm"],
    "additionalProperties": False,
}


Kind = Callable[[OpenAI, str, Registry], str]


def tools(client: OpenAI, text: str, registry: Registry) -> str:
    """A request that a tool answers."""
    return ask(client, MODEL, text, registry).tier


def form(client: OpenAI, text: str, registry: Registry, *, model: str = MODEL) -> str:  # noqa: ARG001  # all kinds are called alike
    """A request for JSON of a given form."""
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "weather", "schema": FORM, "strict": True}}
    found = client.chat.completions.with_raw_response.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        response_format=wanted,
        max_tokens=64,
    )
    return str(found.headers["x-smallfirst-tier"])


def stream(client: OpenAI, text: str, registry: Registry) -> str:  # noqa: ARG001
    """Prose, streamed."""
    for _ in client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], stream=True, max_tokens=24):
        pass
    return "streamed"


def mistake(client: OpenAI, text: str, registry: Registry) -> str:  # noqa: ARG001
    """A request that no gateway can serve."""
    client.chat.completions.create(model="no-such-route", messages=[{"role": "user", "content": text}])
    return "served"


def judged(client: OpenAI, text: str, registry: Registry) -> str:  # noqa: ARG001
    """An answer that its client then says something of."""
    found = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], max_tokens=16)
    body = {"response_id": found.id, "success": bool(found.choices[0].message.content)}
    client.post("/outcomes", body=body, cast_to=object)
    return "judged"


def route(name: str) -> Kind:
    """A short answer of another route."""

    def asked(client: OpenAI, text: str, registry: Registry) -> str:  # noqa: ARG001
        client.chat.completions.create(model=name, messages=[{"role": "user", "content": text}], max_tokens=16)
        return name

    return asked


KINDS = (tools, tools, form, tools, stream, tools, tools, mistake)
EVERYTHING = (*KINDS, judged, route("flaky"), judged, route("rented"), partial(form, model="clumsy"))
"""With the routes of live.yaml."""


def main() -> int:
    """0 if any request was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between requests")
    parser.add_argument("--everything", action="store_true", help="feedback and the routes of live.yaml too")
    parser.add_argument("--key", action="append", help="sent as the API key; with several there is a client for each, all at once")
    given = parser.parse_args()
    kinds = EVERYTHING if given.everything else KINDS
    keys = given.key or ["none"]
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    signal.signal(signal.SIGALRM, lambda *_: done.set())
    signal.setitimer(signal.ITIMER_REAL, given.seconds)
    with ThreadPoolExecutor(len(keys)) as clients:
        counts = clients.map(lambda key: collections.Counter(_results(given.url, key, kinds, given.pause, done)), keys)
        seen = sum(counts, collections.Counter[str]())
    print(f"load: {dict(seen)}")
    return 0 if sum(count for name, count in seen.items() if not name.startswith("error")) else 1


def _results(url: str, key: str, kinds: Sequence[Kind], pause: float, done: threading.Event) -> Iterator[str]:
    with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=60) as client:
        yield from _answers(client, kinds, pause, done)


def _answers(client: OpenAI, kinds: Sequence[Kind], pause: float, done: threading.Event) -> Iterator[str]:
    registry = load("server.assistant:registry")
    for kind, text in zip(itertools.cycle(kinds), itertools.cycle(REQUESTS), strict=False):
        if done.is_set():
            return
        found = _result(kind, client, text, registry)
        yield found
        done.wait(REFUSED if found.startswith("error") else pause)


def _result(kind: Kind, client: OpenAI, text: str, registry: Registry) -> str:
    try:
        found = kind(client, text, registry)
    except APIStatusError as error:
        return f"error {error.code}"
    except APIConnectionError as error:
        return f"error {type(error).__name__} {error.__cause__!r}"
    return "error refused" if found == NOBODY else found


if __name__ == "__main__":
    sys.exit(main())
