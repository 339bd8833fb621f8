"""Native tool calls, complete or in pieces, written in the contract's own form; broken arguments stay visibly broken."""

import json
from dataclasses import dataclass, field

from pydantic_core import from_json

from router.errors import EngineProtocolError
from server.engines.openai.answers import Call, Said


@dataclass(slots=True)
class _Pieces:
    """One call as it arrives."""

    id: str | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    @property
    def json(self) -> str:
        return "".join(self.arguments)


@dataclass(slots=True)
class Writer:
    """Writes one choice's calls, each as soon as it is whole; words are written at the end, beside the calls or in their place.

    Arguments left out are an empty object. A call whose arguments are no JSON ends the text there, its arguments quoted, so that the whole
    is no JSON either and no text inside them can pass for something else; so do words that should be JSON, where `formed` says so: beside
    calls those are left out, for a client would read them as that JSON.
    """

    formed: bool = False
    _calls: dict[int, _Pieces] = field(default_factory=dict)
    _words: list[str] = field(default_factory=list)
    _written: int = 0
    _broken: bool = False

    def add(self, said: Said) -> str:
        """The text that this message or delta completes."""
        if words := said.content or said.refusal:
            self._words.append(words)
        for position, call in enumerate(said.tool_calls or ()):
            self._take(position, call)
        return self._write(len(self._calls) - 1)

    def end(self) -> str:
        """The rest of the text, when the engine has said that it is finished."""
        if not self._calls:
            return self._said("".join(self._words))
        rest, beside = self._write(len(self._calls)), "".join(self._words)
        if self._broken:
            return rest
        told = f',"content":{_compact(beside)}' if beside.strip() and not self.formed else ""
        return f"{rest}]{told}}}"

    @property
    def calls(self) -> bool:
        """Whether any call has come."""
        return bool(self._calls)

    def _said(self, words: str) -> str:
        if not self.formed:
            return _compact({"message": words})
        return f'{{"message":{words.strip()}}}' if is_json(words) else f'{{"message":{_compact(words)}'

    def _take(self, position: int, call: Call) -> None:
        key = self._key(position, call)
        if key not in self._calls:
            self._calls[key] = _Pieces(call.id)
        elif list(self._calls).index(key) < self._written:
            raise EngineProtocolError("the engine went back to a call that was finished")
        pieces = self._calls[key]
        pieces.name = pieces.name or call.function.name or ""
        pieces.arguments.append(call.function.arguments or "")

    def _key(self, position: int, call: Call) -> int:
        """Servers number calls by `index`; some leave it out or repeat it, and then a new id begins a new call."""
        key = position if call.index is None else call.index
        known = self._calls.get(key)
        if known is None or not call.id or not known.id or call.id == known.id:
            return key
        own = [other for other, pieces in self._calls.items() if pieces.id == call.id]
        return own[0] if own else max(self._calls) + 1

    def _write(self, whole: int) -> str:
        """The calls before `whole` that are not written yet."""
        ready = list(self._calls.values())[self._written : max(whole, 0)]
        return "".join(self._next(pieces) for pieces in ready)

    def _next(self, pieces: _Pieces) -> str:
        if self._broken:
            return ""
        if not pieces.name:
            raise EngineProtocolError("the engine called a function without a name")
        head = "," if self._written else '{"tool_calls":['
        self._written += 1
        start = f'{head}{{"name":{_compact(pieces.name)},"arguments":'
        arguments = pieces.json.strip(" \t\r\n") or "{}"
        if is_json(arguments):
            return f"{start}{arguments}}}"
        self._broken = True
        return f"{start}{_compact(pieces.json)}"


def canonical(said: Said) -> str:
    """A complete message in the contract's form."""
    writer = Writer()
    return writer.add(said) + writer.end()


def is_json(text: str) -> bool:
    """Whether the text is one JSON value."""
    try:
        from_json(text, allow_inf_nan=False)
    except ValueError:
        return False
    return True


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
