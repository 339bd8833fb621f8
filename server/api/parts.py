"""What the handlers work with: made once in `server.build`, handed to `create_app`."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from router.cascade import Cascade
from router.contract import Limits as SchemaLimits
from router.errors import SmallfirstError
from router.ports import Embedder, Engine
from router.types import GenerationRequest, Outcome
from server.access.admission import Admission, Place
from server.access.keys import Key, Keyring
from server.access.ledger import Ledger
from server.api.conversations import Conversations
from server.api.dashboard import Source
from server.api.naming import Names

Take = Callable[[str, float, object, str | None], Awaitable[bool]]
"""Joins (response id, correct 0..1, expected) to its response; false where no such response is known, or it is another key's."""


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

    def enter(self, key: Key | None) -> Place:
        """A place among those in flight, and in what the key may; raises Overloaded, StoreUnavailable, which it counts."""
        name = "" if key is None else key.name
        try:
            place = self.admission.slot(name)
            return place if key is None or self.ledger is None else _accounted(place, self.ledger.admit(key))
        except SmallfirstError as refusal:
            self.gauges.refused("", refusal.code, name)
            raise


def _accounted(place: Place, account: AbstractContextManager[None]) -> Place:
    """A place that is given back at once where the account refuses it."""
    with place:
        account.__enter__()
        place.also = account
        return place.handed_on()
