"""Server-sent events out of a stream of bytes, however the bytes are cut (WHATWG HTML, "Server-sent events")."""

from dataclasses import dataclass, field

from router.errors import EngineProtocolError

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `name` is its type, "message" unless the server says otherwise."""

    name: str
    data: str


@dataclass(slots=True)
class Decoder:
    """Feed bytes, get whole events; raises EngineProtocolError on invalid UTF-8 and where one event is longer than `limit` bytes."""

    limit: int = 1024 * 1024
    _rest: bytes = b""
    _data: list[bytes] = field(default_factory=list)
    _held: int = 0
    _name: str = ""
    _after_return: bool = False
    _started: bool = False

    def feed(self, received: bytes) -> list[Event]:
        """The events that these bytes complete."""
        if self._after_return and received:
            received = received.removeprefix(b"\n")
            self._after_return = False
        buffer = self._rest + received
        if not self._started:
            if BOM.startswith(buffer):
                self._rest = buffer
                return []
            buffer, self._started = buffer.removeprefix(BOM), True
        return self._split(buffer)

    def _split(self, buffer: bytes) -> list[Event]:
        lines = buffer.splitlines(keepends=True)
        whole = not lines or lines[-1].endswith((b"\n", b"\r"))
        self._rest = b"" if whole else lines.pop()
        self._after_return = buffer.endswith(b"\r")
        self._bound(len(self._rest))
        return [event for line in lines if (event := self._line(line.rstrip(b"\r\n"))) is not None]

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._hold(value)
        elif name == b"event":
            self._name = _text(value)
        elif name == b"error":
            self._name = "error"
            self._hold(value)
        return None

    def _dispatch(self) -> Event | None:
        data, name = self._data, self._name
        self._data, self._name, self._held = [], "", 0
        return Event(name or "message", _text(b"\n".join(data))) if data else None

    def _hold(self, value: bytes) -> None:
        self._bound(len(value))
        self._data.append(value)
        self._held += len(value) + 1

    def _bound(self, more: int) -> None:
        if self._held + more > self.limit:
            raise EngineProtocolError("the engine sent an event that is too long")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise EngineProtocolError("the engine sent invalid UTF-8") from None
