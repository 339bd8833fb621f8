"""Server-sent events out of bytes, however the bytes are cut (WHATWG HTML, "Server-sent events")."""

from dataclasses import dataclass, field

from router.errors import EngineProtocolError

BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Decoder:
    """Feed bytes, get the data of whole events; their names say nothing that the data do not.

    Raises EngineProtocolError on invalid UTF-8 and where one event is longer than `limit` bytes.
    """

    limit: int = 1024 * 1024
    _rest: bytes = b""
    _data: list[bytes] = field(default_factory=list)
    _held: int = 0
    _after_return: bool = False
    _started: bool = False

    def feed(self, received: bytes) -> list[str]:
        """The data of the events that these bytes complete."""
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

    def _split(self, buffer: bytes) -> list[str]:
        lines = buffer.splitlines()
        self._rest = b"" if not lines or buffer.endswith((b"\n", b"\r")) else lines.pop()
        self._after_return = buffer.endswith(b"\r")
        if self._held + len(self._rest) > self.limit:
            raise _too_long()
        found: list[str] = []
        for line in lines:
            if line:
                self._hold(line)
            elif self._data:
                found.append(_text(b"\n".join(self._data)))
                self._data, self._held = [], 0
        return found

    def _hold(self, line: bytes) -> None:
        """llama.cpp writes `error: {...}`, which is data as well."""
        name, _, value = line.partition(b":")
        if name in (b"data", b"error"):
            self._held += len(value) + 1
            if self._held > self.limit:
                raise _too_long()
            self._data.append(value.removeprefix(b" "))


def _too_long() -> EngineProtocolError:
    return EngineProtocolError("the engine sent an event that is too long")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise EngineProtocolError("the engine sent invalid UTF-8") from None
