"""What must hold for any bytes: each check takes some and raises where a rule is broken.

An error of our own is an answer; anything else that is raised is a crash.
"""

import json
from collections.abc import Callable, Mapping

from pydantic import BaseModel

from router.contract.checking import check
from router.contract.jsonprefix import JsonPrefix
from router.contract.making import json_schema
from router.contract.prefix import Prefix
from router.contract.schema import Limits
from router.contract.sketch import sketch
from router.contract.strictjson import NotJson, parse
from router.errors import EngineProtocolError, InvalidRequest, SmallfirstError
from router.types import Choice
from server.api import parsing
from server.api.naming import RouteFacts, Target
from server.api.responding import ResponsesRequest
from server.api.translate import translate
from server.api.wire import ChatRequest, CompletionRequest, EmbeddingRequest
from server.engines.openai.sse import Decoder

FACTS = RouteFacts(("small", "large"))
BODIES: tuple[type[BaseModel], ...] = (ChatRequest, CompletionRequest, ResponsesRequest, EmbeddingRequest)


def bodies(data: bytes) -> None:
    """A request's body is taken or refused by name; a chat that is taken becomes a request."""
    for model in BODIES:
        try:
            found = parsing.parse(data, model)
            if isinstance(found, ChatRequest):
                translate(found, Target("auto"), FACTS, "r", Limits())
        except SmallfirstError as refusal:
            json.dumps(refusal.message)


def schemas(data: bytes) -> None:
    """A schema is refused or compiled, and then judges any text; what it accepts, its reader of beginnings never gave up on.

    The schema is the first line, the answer the rest.
    """
    first, _, rest = data.partition(b"\n")
    schema, text = _json(first), rest.decode("utf-8", "replace")
    if not isinstance(schema, dict):
        return
    try:
        contract = json_schema(schema)
    except InvalidRequest:
        return
    sketch(schema)
    if not check(contract, Choice(text, "stop")):
        reader = Prefix(contract)
        assert all(reader.feed(character) for character in text), f"gave up on {text!r} under {schema!r}"


def answers(data: bytes) -> None:
    """The strict reader takes nothing that Python's does not, and both readers agree on what is JSON."""
    text = data.decode("utf-8", "replace")
    try:
        value = parse(text)
    except NotJson:
        return
    assert json.loads(text) == value
    reader = JsonPrefix({})
    assert all(reader.feed(character) for character in text), f"gave up on {text!r}"


def streams(data: bytes) -> None:
    """However a stream is cut, its events are the same; the first byte says how."""
    if data:
        step = data[0] % 7 + 1
        assert _events(data[1:], len(data)) == _events(data[1:], step)


def _events(data: bytes, step: int) -> list[object]:
    decoder, found = Decoder(limit=4096), list[object]()
    try:
        for start in range(0, len(data), step):
            found += decoder.feed(data[start : start + step])
    except EngineProtocolError:
        return ["refused"]
    return found


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


CHECKS: Mapping[str, Callable[[bytes], None]] = {"bodies": bodies, "schemas": schemas, "answers": answers, "streams": streams}

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.5, "stream": True}
TOOLS = {
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}]
}
FORMED = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": False}}}
SCHEMA = {
    "type": "object",
    "properties": {"a": {"enum": ["x", 1, None]}, "b": {"type": "array", "items": {"$ref": "#/$defs/c"}, "maxItems": 2}},
    "required": ["a"],
    "additionalProperties": False,
    "$defs": {"c": {"anyOf": [{"type": "string", "pattern": "^[a-z]+$", "format": "date"}, {"type": "number", "multipleOf": 0.5}]}},
}
SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "bodies": tuple(json.dumps(CHAT | more).encode() for more in ({}, TOOLS, FORMED, {"n": 2, "stop": ["a"], "metadata": {"a": "b"}})),
    "schemas": (json.dumps(SCHEMA).encode() + b'\n{"a":"x","b":["2020-01-01",1.5]}', b'{"const":{"a":[1]}}\n{"a": [1.0]}'),
    "answers": (b'{"a":[1,-0.5e3,"\\u00e9\\n",true,false,null,{}]}', b" [ ] ", b'"\\ud83d\\ude00"', b"-0"),
    "streams": (
        b'\x03data: {"a":1}\r\n\r\nevent: x\ndata: y\ndata\n\n: comment\n\ndata: [DONE]\n\n',
        b"\x01\xef\xbb\xbfdata: \xc3\xa9\r\r",
    ),
}
