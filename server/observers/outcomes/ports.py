"""What the store holds and what it is asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from router.types.records import record

Source = Literal["gold", "feedback", "audit"]


class StoreLost(Exception):
    """The database cannot be reached or is locked; later it may be there again."""


class Unfit(Exception):
    """The database will never take this entry."""


@record(frozen=True, slots=True)
class Row:
    """One outcome as stored; `body` is JSON without any text of the client or a model, `content` JSON with it, if it is kept at all.

    `at` is in seconds since the epoch; `tier` gave the answer, `confidence` is that of the first draft that had one; `owner` is the name of
    the key that it was asked with, "" where there was none.
    """

    response_id: str
    at: float
    route: str
    family: str
    code: str
    tier: str | None
    confidence: float | None
    cost: float
    seconds: float
    body: str
    content: str | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """What became known of one draft; it holds all that a watcher needs, so it outlives its outcome's row.

    `correct` is 0..1, `weight` the inverse of the probability that it was labelled; `kept` says whether the verifiers kept the draft on a
    tier that is not the last; `asked_at` is when its request came, `cost` what the label cost in dollars, `detail` JSON.
    """

    response_id: str
    tier: str
    source: Source
    correct: float
    weight: float
    route: str
    family: str
    confidence: float | None
    kept: bool
    asked_at: float
    at: float
    cost: float = 0.0
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a client says of the answer it got; the store finds the rest in the outcome's row.

    With an `owner` it counts only for answers that this key asked for, or nobody's.
    """

    response_id: str
    correct: float
    at: float
    detail: str | None = None
    owner: str | None = None


Entry = Row | Label | Feedback


@dataclass(frozen=True, slots=True)
class Written:
    """What a write changed: labels that are new or now say something else, and feedback on responses that the store does not know."""

    labels: tuple[Label, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Floor:
    """The least confidence that a route keeps, set by the watcher under the calibration of `fingerprint`, from `since` on."""

    route: str
    fingerprint: str
    floor: float = 0.0
    since: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """`days` bounds rows and labels, `rows` the outcomes, `content_days` how long text is kept; `None` is no bound."""

    days: float | None = 90.0
    rows: int | None = None
    content_days: float | None = None


@dataclass(frozen=True, slots=True)
class Refitted:
    """A calibration fitted again for a route, in place of the configured one, whose fingerprint is `base`; `body` is its JSON."""

    route: str
    base: str
    fingerprint: str
    at: float
    body: str


class Store(Protocol):
    """A database of outcomes; every method may raise StoreLost."""

    def write(self, entries: Sequence[Entry]) -> Written:
        """All entries or none; what is there already is not written twice. Raises Unfit where one of them can never be written."""

    def trim(self, retention: Retention, now: float) -> int:
        """Delete what is too old or too many; returns the number of rows deleted."""

    def labelled(
        self, source: Source | None = None, route: str | None = None, since: float | None = None
    ) -> Iterator[tuple[Row, tuple[Label, ...]]]:
        """Outcomes that have labels, of requests that came after `since`, oldest first, streamed."""

    def labels(self, route: str, since: float, limit: int) -> tuple[Label, ...]:
        """The latest labels of requests that came after `since`, in the order in which they became known."""

    def confidences(self, route: str, since: float, limit: int, *, latest: bool) -> tuple[tuple[float, str], ...]:
        """Confidence and family of the latest or the first drafts after `since`."""

    def lease(self, name: str, holder: str, seconds: float, now: float) -> bool:
        """Whether `holder` has the lease from now on; it can be taken over once it has run out."""

    def floors(self) -> tuple[Floor, ...]:
        """All floors that were ever set."""

    def begin(self, floor: Floor) -> None:
        """Remember since when a calibration is in use, unless that is known."""

    def tighten(self, floor: Floor) -> bool:
        """Set a higher floor; a lower one changes nothing. Returns whether it changed."""

    def adopt(self, refitted: Refitted) -> None:
        """Put a calibration in place of the configured one, or of an earlier one of that kind."""

    def adopted(self, route: str, base: str) -> Refitted | None:
        """The calibration that stands in place of the configured one."""

    def close(self) -> None:
        """Let go of all connections."""
