"""Several servers of one model: the least loaded one, unless the one that knows the conversation's beginning is nearly as free.

What one request asks again, as a repair does, goes where it went before: the prompt is in that server's prefix cache.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from hashlib import blake2b

from router.types import EngineCall
from server.engines.openai.breaker import Breaker

BEGINNING = 2048
"""Characters of a conversation that choose its replica: enough for a prefix cache to pay."""
REMEMBERED = 4096
"""Requests whose replica is known."""


@dataclass(slots=True, eq=False)
class Replica:
    """One address with what is known of it: calls in flight, its breaker, the last health check and what was wrong with it."""

    url: str
    inflight: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    up: bool = True
    silences: int = 0
    trouble: str = ""

    def heard(self, *, well: bool) -> None:
        """A health check was answered; after a time of being down, what the breaker knew is of a life that is over."""
        if well and not self.up:
            self.breaker = Breaker()
        self.up, self.silences = well, 0

    def unheard(self, *, busy: bool) -> None:
        """A health check was not answered: a server that may be `busy` is asked once more before it counts as down."""
        self.silences += 1
        if not busy or self.silences > 1:
            self.up = False


@dataclass(slots=True)
class Replicas:
    """Chooses among the members; `slack` is how many more calls than the least loaded one a conversation's own replica may have.

    `clock` is in seconds; it is read only for a breaker that is open.
    """

    members: tuple[Replica, ...]
    clock: Callable[[], float]
    slack: int = 2
    _answered: dict[str, Replica] = field(default_factory=dict)

    def choose(self, prefix: str, tried: Collection[str] = (), request: str = "") -> Replica | None:
        """The replica for a conversation that begins with `prefix`: untried ones first; `None` where none admits a call."""
        admitted = [one for one in self.members if one.up and (one.breaker.opened is None or one.breaker.admits(self.clock()))]
        fresh = ([replica for replica in admitted if replica.url not in tried] or admitted) if tried else admitted
        if len(fresh) < 2:
            return fresh[0] if fresh else None
        if (known := self._answered.get(request)) is not None and known in fresh:
            return known
        least = min(replica.inflight for replica in fresh)
        own = max(fresh, key=lambda replica: _weight(prefix, replica.url))
        return own if own.inflight <= least + self.slack else min(fresh, key=lambda replica: replica.inflight)

    def remember(self, request: str, replica: Replica) -> None:
        """This request was answered there; the last so many are remembered."""
        if request:
            self._answered.pop(request, None)
            self._answered[request] = replica
            if len(self._answered) > REMEMBERED:
                del self._answered[next(iter(self._answered))]

    def available(self) -> bool:
        """Whether any replica takes calls now: its last health check was good and its breaker is not open."""
        for one in self.members:  # noqa: SIM110  # a generator takes longer than all of this
            if one.up and (one.breaker.opened is None or one.breaker.admits(self.clock())):
                return True
        return False


def beginning(call: EngineCall) -> str:
    """The start of the conversation, which all its turns share: everything up to the first answer, bounded."""
    texts: list[str] = []
    for message in call.messages:
        if message.role == "assistant":
            break
        texts.append(message.text[:BEGINNING])
    return "\x00".join(texts)[:BEGINNING]


def _weight(prefix: str, url: str) -> bytes:
    """Rendezvous hashing (Thaler and Ravishankar 1998): a replica that goes moves only its own conversations."""
    return blake2b(f"{url}\x00{prefix}".encode(errors="replace"), digest_size=8).digest()
