"""An incremental reader of strict JSON that carries along which alternatives of a schema are still possible."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from router.contract.alternatives import Alternatives, Opening, element, expand, fits, full, member, opens, satisfied
from router.contract.strictjson import MOST_LEVELS
from router.types import Schema

_PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_START = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[eE][+-]?[0-9]*)?)?|[eE][+-]?[0-9]*)?)?")
_IN_NUMBER = frozenset("0123456789+-.eE")
_WORDS = {"t": "true", "f": "false", "n": "null"}
_OPENINGS: dict[str, Opening] = {"{": "object", "[": "array", '"': "string", "t": "boolean", "f": "boolean", "n": "null"}
_HEX = frozenset("0123456789abcdefABCDEF")
_SPACE = frozenset(" \t\n\r")


class _Hopeless(Exception):
    """No continuation is valid."""


@dataclass(slots=True)
class _Frame:
    """An open object (`keys` so far) or array (`None`): the alternatives that it may still be."""

    alternatives: Alternatives
    keys: set[str] | None
    count: int = 0


class JsonPrefix:
    """Reads a JSON text in pieces: `_state` takes the next character, `_token` is a number or word in the making, `_pieces` a string."""

    __slots__ = ("_alive", "_frames", "_hex", "_is_key", "_node", "_pieces", "_root", "_state", "_token")

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._node: Alternatives = expand(schema, schema, 0)
        self._frames: list[_Frame] = []
        self._token, self._hex, self._is_key = "", 0, False
        self._pieces: list[str] = []
        self._state: Callable[[str], None] = self._value
        self._alive = bool(self._node)

    def feed(self, text: str) -> bool:
        """Whether the text so far can still become valid."""
        try:
            self._read(text if self._alive else "")
        except _Hopeless:
            self._alive = False
        return self._alive

    def _read(self, text: str) -> None:
        position = 0
        while position < len(text):
            run = _PLAIN.match(text, position) if self._state == self._string else None
            if run is not None:
                self._pieces.append(run.group())
                position = run.end()
            else:
                self._state(text[position])
                position += 1

    def _value(self, character: str) -> None:
        if character in _SPACE:
            return
        opening = _OPENINGS.get(character, "number")
        if opening == "number" and not (character == "-" or ("0" <= character <= "9")):
            raise _Hopeless
        self._node = _alive(tuple(item for item in self._node if opens(item[1], opening)))
        self._begin(opening, character)

    def _begin(self, opening: Opening, character: str) -> None:
        if opening in ("object", "array"):
            self._open(is_object=opening == "object")
            return
        self._token, self._pieces, self._is_key = character, [character], False
        self._state = {"string": self._string, "number": self._number}.get(opening, self._word)

    def _open(self, *, is_object: bool) -> None:
        if len(self._frames) >= MOST_LEVELS:
            raise _Hopeless
        self._frames.append(_Frame(self._node, set() if is_object else None))
        self._state = self._first_key if is_object else self._first_item

    def _string(self, character: str) -> None:
        if character < " ":
            raise _Hopeless
        self._pieces.append(character)
        if character == "\\":
            self._state = self._escape
        elif character == '"':
            self._finish_string()

    def _escape(self, character: str) -> None:
        if character not in '"\\/bfnrtu':
            raise _Hopeless
        self._pieces.append(character)
        self._hex = 4 if character == "u" else 0
        self._state = self._digits if self._hex else self._string

    def _digits(self, character: str) -> None:
        if character not in _HEX:
            raise _Hopeless
        self._pieces.append(character)
        self._hex -= 1
        if not self._hex:
            self._state = self._string

    def _finish_string(self) -> None:
        text = json.loads("".join(self._pieces))
        if not self._is_key:
            self._scalar(text)
            return
        frame = self._frames[-1]
        if frame.keys is None or text in frame.keys:
            raise _Hopeless
        frame.keys.add(text)
        self._enter(frame, lambda schema: member(schema, text))
        self._state = self._colon

    def _enter(self, frame: _Frame, below: Callable[[Schema], object]) -> None:
        """Go on with what each alternative of the frame says of its next child."""
        spread = (expand(self._root, below(schema), index) for index, (_, schema) in enumerate(frame.alternatives))
        self._node = _alive(tuple(item for items in spread for item in items))

    def _number(self, character: str) -> None:
        if character in _IN_NUMBER:
            self._token += character
            if not _NUMBER_START.fullmatch(self._token):
                raise _Hopeless
            return
        if not _NUMBER.fullmatch(self._token):
            raise _Hopeless
        self._scalar(_number(self._token))
        self._state(character)

    def _word(self, character: str) -> None:
        self._token += character
        word = _WORDS[self._token[0]]
        if not word.startswith(self._token):
            raise _Hopeless
        if word == self._token:
            self._scalar(json.loads(word))

    def _scalar(self, value: object) -> None:
        self._finish(tuple(item for item in self._node if fits(item[1], value)))

    def _finish(self, survivors: Alternatives) -> None:
        """A value is complete: alternatives of the enclosing one that none of the survivors belongs to are out."""
        _alive(survivors)
        if not self._frames:
            self._state = self._end
            return
        frame, owners = self._frames[-1], {owner for owner, _ in survivors}
        frame.alternatives = tuple(item for index, item in enumerate(frame.alternatives) if index in owners)
        frame.count += 1
        self._state = self._after_item if frame.keys is None else self._after_member

    def _first_key(self, character: str) -> None:
        if character == "}":
            self._close()
        else:
            self._key(character)

    def _key(self, character: str) -> None:
        if character in _SPACE:
            return
        if character != '"':
            raise _Hopeless
        self._pieces, self._is_key, self._state = [character], True, self._string

    def _colon(self, character: str) -> None:
        if character == ":":
            self._state = self._value
        elif character not in _SPACE:
            raise _Hopeless

    def _first_item(self, character: str) -> None:
        if character in _SPACE:
            return
        if character == "]":
            self._close()
        else:
            self._item(character)

    def _item(self, character: str) -> None:
        if character in _SPACE:
            return
        frame = self._frames[-1]
        frame.alternatives = _alive(tuple(item for item in frame.alternatives if not full(item[1], frame.count)))
        self._enter(frame, lambda schema: element(schema, frame.count))
        self._value(character)

    def _after_item(self, character: str) -> None:
        self._separator(character, "]", self._item)

    def _after_member(self, character: str) -> None:
        self._separator(character, "}", self._key)

    def _separator(self, character: str, closing: str, following: Callable[[str], None]) -> None:
        if character == ",":
            self._state = following
        elif character == closing:
            self._close()
        elif character not in _SPACE:
            raise _Hopeless

    def _close(self) -> None:
        frame = self._frames.pop()
        self._finish(tuple(item for item in frame.alternatives if satisfied(item[1], frame.keys, frame.count)))

    def _end(self, character: str) -> None:
        if character not in _SPACE:
            raise _Hopeless


def _alive(alternatives: Alternatives) -> Alternatives:
    if not alternatives:
        raise _Hopeless
    return alternatives


def _number(digits: str) -> object:
    try:
        return json.loads(digits)
    except ValueError:
        raise _Hopeless from None
