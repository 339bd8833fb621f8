"""Who was turned away at the door: a line each with the client's address, for whoever bans addresses; a flood of them fills no log."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

A_SECOND = 10


@dataclass(slots=True)
class Refusals:
    """Writes at most ten lines a second; `wall` is in seconds since the epoch, `client_id` the id that the HTTP answer bears."""

    write: Callable[[str], object]
    wall: Callable[[], float]
    client_id: Callable[[], str]
    _second: int = field(default=0, init=False)
    _lines: int = field(default=0, init=False)
    _left_out: int = field(default=0, init=False)

    def __call__(self, code: str, client: str) -> None:
        """One refusal, by its error code, of a client at this address; a line says how many had none before it."""
        now = self.wall()
        if int(now) != self._second:
            self._second, self._lines = int(now), 0
        if self._lines == A_SECOND:
            self._left_out += 1
            return
        self._lines += 1
        found: dict[str, object] = {
            "event": "refused",
            "time": round(now, 3),
            "request_id": self.client_id(),
            "code": code,
            "client": client,
        }
        if self._left_out:
            found["left_out"], self._left_out = self._left_out, 0
        self.write(json.dumps(found))
