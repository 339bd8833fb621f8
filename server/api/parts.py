"""What the handlers work with: made once in `server.build`, handed to `create_app`."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from fastapi import Request

from router.cascade import Cascade
from router.contract import Limits as SchemaLimits
from router.ports import Embedder, Engine
from router.types import GenerationRequest, Outcome
from server.access.admission import Admission, Place
from server.access.keys import Key, Keyring
from server.access.ledger import Ledger
from server.api.conversations import Conversations
from server.api.dashboard import Source
from server.api.naming import Names
from server.api.outcomes import Take


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What one request may contain."""

    bytes: int = 4_194_304
    messages: int = 2048
    choices: int = 16
    schema: SchemaLimits = field(default_factory=SchemaLimits)


@dataclass(frozen=True, slots=True)
class Exposition:
    """The metrics as they are scraped."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Gauges:
    """What only the handlers can tell the metrics; what happened to a generation they learn from its Outcome.

    `observe` takes the outcome of a request that no cascade ran; `refused` hears route, code and the key's name, each "" where unknown.
    """

    refused: Callable[[str, str, str], None]
    overhead: Callable[[float], None]
    exposition: Callable[[], Exposition]
    observe: Callable[[GenerationRequest, Outcome], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """The gateway's parts; `clock` is in seconds and monotonic, `wall` in seconds since the epoch, `stall` seconds without any reading.

    A route's cascade gives way to another one when its calibration is fitted again. Where `keys` is `None` everyone may ask,
    but for web pages of other `origins`, and where it is `private` under this machine's own names alone.
    `available` says of an engine whether it takes calls; `turned_away` hears code and address of who did not get past the door.
    """

    cascades: MutableMapping[str, Cascade]
    engines: Mapping[str, Engine]
    names: Names
    admission: Admission
    gauges: Gauges
    clock: Callable[[], float]
    wall: Callable[[], float]
    new_id: Callable[[], str]
    limits: BodyLimits = field(default_factory=BodyLimits)
    take: Take | None = None
    embedders: Mapping[str, Embedder] = field(default_factory=dict)
    watch: Callable[[], Mapping[str, str]] = dict
    conversations: Conversations | None = None
    page: Source | None = None
    keys: Callable[[], Keyring] | None = None
    ledger: Ledger | None = None
    origins: tuple[str, ...] = ()
    private: bool = False
    stall: float = 60.0
    available: Callable[[str], bool] = lambda name: True
    turned_away: Callable[[str, str], None] = lambda code, client: None

    def enter(self, key: Key | None, held: ExitStack) -> Place:
        """A place among those in flight, and in what the key may; raises Overloaded, StoreUnavailable."""
        place = held.enter_context(self.admission.slot("" if key is None else key.name))
        if key is not None and self.ledger is not None:
            held.enter_context(self.ledger.admit(key))
        return place


def parts(request: Request) -> Parts:
    """The parts of the application that serves this request."""
    found: Parts = request.app.state.parts
    return found
