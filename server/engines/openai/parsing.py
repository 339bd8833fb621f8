"""From the JSON that a server sent to an answer and its tokens, or to the error that says what is wrong with it."""

import re
from codecs import BOM_UTF8
from typing import Any

import msgspec
from pydantic_core import from_json

from router.errors import EngineProtocolError
from router.types import Token
from server.engines.openai.answers import Answer, Logprobs
from server.engines.openai.logprobs import Reading, apart

Parsed = tuple[Answer[Any], list[tuple[Token, ...]]]
"""An answer, and the tokens of each of its choices."""
_WHOLE, _REST = msgspec.json.Decoder(Answer[Logprobs]), msgspec.json.Decoder(Answer[int])
_WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PLACE = re.compile(r" - at `(\$[^`]*)`$")


def parse(body: str | bytes, reading: Reading) -> Parsed:
    """The answer in this JSON text; raises EngineProtocolError on invalid UTF-8, invalid JSON and wrong shapes."""
    found = apart(body, reading.constrained, reading.mask)
    if found is not None and (parsed := _joined(*found, reading)) is not None:
        return parsed
    try:
        answer = _WHOLE.decode(body)
    except _WRONG:
        answer = _patient(body)
    return answer, [reading.tokens(part.logprobs) for part in answer.choices or ()]


def _joined(rest: bytes, tokens: list[tuple[Token, ...]], reading: Reading) -> Parsed | None:
    """`None` where the rest is wrong, or is not that of an answer each of whose choices once says where its tokens are."""
    try:
        answer = _REST.decode(rest)
    except _WRONG:
        return None
    known = tokens if reading.told else [*map(reading.known, tokens)]
    own: list[tuple[Token, ...]] = []
    place = 0
    for part in answer.choices or ():
        if part.logprobs is None:
            own.append(())
        elif part.logprobs == place < len(tokens):
            own.append(known[place])
            place += 1
        else:
            return None
    return (answer, own) if place == len(tokens) else None


def _patient(body: str | bytes) -> Answer[Logprobs]:
    """Servers in Python write NaN and Infinity, which are no JSON, others a byte order mark (which RFC 8259, 8.1, lets a reader ignore).

    Whatever else is wrong is told, of the text before its shape.
    """
    try:
        return msgspec.convert(from_json(body.removeprefix(BOM_UTF8) if isinstance(body, bytes) else body), Answer[Logprobs])
    except msgspec.ValidationError as error:
        raise EngineProtocolError(_misshapen(str(error))) from None
    except (ValueError, RecursionError):
        raise EngineProtocolError(_wrong(body)) from None


def _misshapen(message: str) -> str:
    """The place is `choices.0.message` for the library's `$.choices[0].message`."""
    found = _PLACE.search(message)
    place = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", found[1]).removeprefix("$").lstrip(".") if found else "its root"
    return f"the engine's answer has a wrong shape at {place}"


def _wrong(body: str | bytes) -> str:
    if isinstance(body, bytes) and not _is_text(body):
        return "the engine sent invalid UTF-8"
    start = body.lstrip()[:1]
    return "the engine answered with a page, not with JSON" if start in ("<", b"<") else "the engine's answer is no valid JSON"


def _is_text(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
