"""What the constant upstream of the gateway's bench answers, and the labelled records that the bench's calibration is fitted on."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.load import MARK

Json = dict[str, Any]
ALTERNATIVES = 5
PROSE = (
    "The harbour of the old town lies on the southern side of the island, and from its quay the first ferry leaves at seven; "
    "those who stay may climb to the lighthouse, from which on clear days the mountains of the mainland can be seen beyond the strait."
)
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 80},
        "city": {"type": "string"},
        "nights": {"type": "integer", "minimum": 1, "maximum": 30},
        "breakfast": {"type": "boolean"},
        "board": {"enum": ["none", "half", "full"]},
        "guests": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
    },
    "required": ["name", "city", "nights", "breakfast", "board", "guests"],
    "additionalProperties": False,
}
BOOKING = '{"name":"Hotel Miramar","city":"Porto","nights":3,"breakfast":true,"board":"half","guests":["Ana Sousa","Rui Sousa"]}'
TOOL: Json = {
    "type": "function",
    "function": {"name": "book_hotel", "description": "Book a hotel room for some nights.", "parameters": SCHEMA},
}
CALL = f'{{"tool_calls":[{{"name":"book_hotel","arguments":{BOOKING}}}]}}'
FORM: Json = {"type": "json_schema", "json_schema": {"name": "booking", "strict": True, "schema": SCHEMA}}


def asked(text: str, **more: Any) -> Json:
    """A request of two messages."""
    return {"model": "bench", "messages": [{"role": "system", "content": "You are brief."}, {"role": "user", "content": text}], **more}


QUESTION = f"Request {MARK}: book the Hotel Miramar in Porto for Ana Sousa and Rui Sousa, three nights, half board with breakfast."
REQUESTS: dict[str, Json] = {
    "chat": asked(f"Request {MARK}: what can one see from the lighthouse of the old town?"),
    "json": asked(QUESTION, response_format=FORM, logprobs=True),
    "tool": asked(QUESTION, tools=[TOOL], tool_choice="required"),
    "escalated": asked(QUESTION, response_format=FORM, logprobs=True),
    "stream": asked(f"Request {MARK}: tell me of the island.", stream=True),
}


def completion(text: str, *, logprob: float = -0.02, finish: str = "stop") -> Json:
    """A complete answer with log-probabilities."""
    tokens = pieces(text)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "logprobs": {"content": [position(token, logprob) for token in tokens]},
        "finish_reason": finish,
    }
    return {
        "id": "chatcmpl-upstream",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "bench",
        "choices": [choice],
        "usage": {"prompt_tokens": 60, "completion_tokens": len(tokens), "total_tokens": 60 + len(tokens)},
    }


def called(arguments: str = BOOKING) -> Json:
    """A tool call as gateways that only pass on see it."""
    found = completion(arguments, finish="tool_calls")
    call = {"id": "call_1", "type": "function", "function": {"name": "book_hotel", "arguments": arguments}}
    found["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
    return found


def stream(chunks: int = 200) -> bytes:
    """An answer as that many events and its end."""
    words = [f"word{number} " for number in range(chunks)]
    head = {"id": "chatcmpl-upstream", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "bench"}
    events = [head | {"choices": [delta(word)]} for word in words]
    events[0]["choices"][0]["delta"]["role"] = "assistant"
    events.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    events.append(head | {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": chunks, "total_tokens": 20 + chunks}})
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n"


def delta(word: str) -> Json:
    """The choice of one event."""
    return {"index": 0, "delta": {"content": word}, "logprobs": {"content": [position(word, -0.02)]}, "finish_reason": None}


def pieces(text: str) -> list[str]:
    """About as many tokens as a tokenizer makes of it: four characters each."""
    return [text[at : at + 4] for at in range(0, len(text), 4)]


def position(token: str, logprob: float) -> Json:
    """A token with its alternatives."""
    others = [{"token": f"~{rank}", "logprob": logprob - 4.0 - rank, "bytes": None} for rank in range(ALTERNATIVES - 1)]
    return {
        "token": token,
        "logprob": logprob,
        "bytes": None,
        "top_logprobs": [{"token": token, "logprob": logprob, "bytes": None}, *others],
    }


def records(count: int = 900, seed: int = 7) -> Iterator[Json]:
    """Labelled outcomes of the three kinds of answer, wrong only where the model is unsure."""
    chance = random.Random(seed)
    kinds: Sequence[tuple[str, Json, str]] = [
        ("chat", REQUESTS["chat"], PROSE),
        ("json", REQUESTS["json"], BOOKING),
        ("tool", REQUESTS["tool"], CALL),
    ]
    for number in range(count):
        group, request, text = kinds[number % len(kinds)]
        unsure = chance.random() < 0.25
        small = completion(text, logprob=-chance.uniform(0.6, 2.0) if unsure else -chance.uniform(0.001, 0.1))
        tiers = {"small": _tier(small, 0.0 if unsure else 1.0), "large": _tier(completion(text), 1.0)}
        asked = json.loads(json.dumps(request).replace(MARK, f"{number:08d}"))
        yield {"id": f"{group}-{number}", "group": group, "request": asked, "tiers": tiers}


def _tier(answer: Json, correct: float) -> Json:
    choice = answer["choices"][0]
    kept = {name: choice[name] for name in ("message", "finish_reason", "logprobs")}
    return kept | {"usage": answer["usage"], "seconds": 0.1, "correct": correct}


@dataclass(frozen=True, slots=True)
class Case:
    """A request, what the upstream gives for it, and what it gives Smallfirst's small tier where that differs."""

    name: str
    answer: bytes
    small: bytes
    kind: str = "application/json"


CASES = tuple(
    Case(name, answer, small, "text/event-stream" if name == "stream" else "application/json")
    for name, answer, small in (
        ("chat", json.dumps(completion(PROSE)).encode(), json.dumps(completion(PROSE)).encode()),
        ("json", json.dumps(completion(BOOKING)).encode(), json.dumps(completion(BOOKING)).encode()),
        ("tool", json.dumps(called()).encode(), json.dumps(completion(CALL)).encode()),
        ("escalated", json.dumps(completion(BOOKING)).encode(), json.dumps(completion(BOOKING.replace("3", '"three"'))).encode()),
        ("stream", stream(), stream()),
    )
)
