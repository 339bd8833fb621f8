"""What keys asked and spent, counted in this process and, where there is somebody to tell, together with the others.

Counting is a dictionary's work, so that a request pays microseconds. What was counted is told to the others in the background, and what
they counted is learned with the answer: between two exchanges each process knows only its own. One that fails is told again until it
succeeds, under the same name, so that nothing is lost or counted twice; meanwhile every process counts alone.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from router.errors import BudgetSpent, RateLimited, StoreUnavailable
from router.types import GenerationRequest, Outcome
from server.access.keys import Allowance, Key, Period
from server.access.windows import MINUTE, Windows, minute, wait

Kind = Literal["usd", "tokens", "requests"]
PERIODS: tuple[Period, ...] = ("day", "month")
FORGETS = 0.2
"""How much the newest request weighs in what a key's requests usually take."""


class Count(NamedTuple):
    """One number: what kind of thing a key did in which window."""

    key: str
    window: str
    kind: Kind


class Exchange(Protocol):
    """Others who count too; raises StoreUnavailable where they cannot be reached."""

    async def tell(self, batch: str, counted: Mapping[Count, float]) -> Mapping[Count, float]:
        """Add these, once for all times that this batch is told; what each is altogether."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Told:
    """Who hears of it: (key, period, share of its budget that is used or held); every exchange that failed, with why."""

    used: Callable[[str, str, float], None] = lambda key, period, share: None
    lost: Callable[[str], None] = lambda why: None


@dataclass(slots=True)
class Taken:
    """What requests take: dollars and tokens."""

    usd: float = 0.0
    tokens: float = 0.0

    def add(self, other: "Taken", sign: int = 1) -> None:
        """Join the other one, or take it away."""
        self.usd += sign * other.usd
        self.tokens += sign * other.tokens


@dataclass(slots=True)
class Ledger:
    """Counts; `wall` is in seconds since the epoch.

    Where `strict` is given, keys with limits are refused once no exchange has succeeded for so many seconds.
    """

    wall: Callable[[], float]
    exchange: Exchange | None = None
    told: Told = field(default_factory=Told)
    strict: float | None = None
    _known: dict[Count, float] = field(default_factory=dict, init=False)
    _untold: Counter[Count] = field(default_factory=Counter, init=False)
    _batch: tuple[str, Mapping[Count, float]] | None = field(default=None, init=False)
    _held: dict[str, Taken] = field(default_factory=dict, init=False)
    _usual: dict[str, Taken] = field(default_factory=dict, init=False)
    _asked: dict[str, float] = field(default_factory=dict, init=False)
    _shown: set[tuple[str, Period]] = field(default_factory=set, init=False)
    _windows: Windows = field(init=False)
    _together: float = field(init=False)

    def __post_init__(self) -> None:
        self._windows, self._together = Windows.at(self.wall()), self.wall()

    @contextmanager
    def admit(self, key: Key) -> Iterator[None]:
        """One request of this key, and while it runs a hold on what its requests usually take.

        Raises RateLimited or BudgetSpent with the seconds after which to come again, StoreUnavailable where that is strict.
        """
        now = self.wall()
        self._hold_to_exchange(key, now)
        self._hold_to_rate(key, now)
        self._hold_to_budgets(key, now)
        self._add(Count(key.name, minute(now), "requests"), 1.0)
        self._asked[key.name] = now
        held, usual = self._held.setdefault(key.name, Taken()), self._usual.get(key.name, Taken())
        likely = Taken(usual.usd, usual.tokens)
        held.add(likely)
        try:
            yield
        finally:
            held.add(likely, -1)

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """What a request of a key took is spent."""
        if not request.owner:
            return
        taken, windows = Taken(outcome.cost, outcome.all_tokens), self._at(self.wall())
        for period in PERIODS:
            name, _ = windows.of(period)
            self._add(Count(request.owner, name, "usd"), taken.usd)
            self._add(Count(request.owner, name, "tokens"), taken.tokens)
        usual = self._usual.setdefault(request.owner, Taken(taken.usd, taken.tokens))
        usual.usd += FORGETS * (taken.usd - usual.usd)
        usual.tokens += FORGETS * (taken.tokens - usual.tokens)

    def used(self, key: Key, period: Period) -> float | None:
        """The share of the budget that is used or held, the larger of dollars and tokens; `None` without one."""
        allowed = key.budgets.get(period)
        return None if allowed is None else self._share(key.name, period, allowed, self._at(self.wall()))

    async def settle(self, keys: Iterable[Key], *, everything: bool = False) -> None:
        """Exchange what was counted, tell what is used, forget what is over; `everything` asks for keys too that nobody used."""
        known, now = list(keys), self.wall()
        if self.exchange is not None:
            await self._exchange(self.exchange, {key.name for key in known} if everything else set(self._asked), now)
        shares = {(key.name, period): self.used(key, period) or 0.0 for key in known for period in key.budgets}
        for (name, period), share in (dict.fromkeys(self._shown, 0.0) | shares).items():
            self.told.used(name, period, share)
        self._shown = set(shares)
        self._forget(now)

    async def _exchange(self, exchange: Exchange, names: set[str], now: float) -> None:
        if self._batch is None:
            wanted = dict.fromkeys((count for name in names for count in self._counts(name, now)), 0.0)
            self._batch = uuid.uuid4().hex, wanted | self._untold
            self._untold = Counter()
        batch, counted = self._batch
        try:
            totals = await exchange.tell(batch, counted)
        except StoreUnavailable as loss:
            self.told.lost(loss.message)
            return
        self._batch, self._together = None, now
        for count, total in totals.items():  # which fall only where the others lost what they knew, as a server does that writes no disk
            self._known[count] = max(self._known.get(count, 0.0), total + self._untold[count])

    def _hold_to_exchange(self, key: Key, now: float) -> None:
        limited = key.rate is not None or key.budgets
        away = abs(now - self._together)  # a clock that was put back says as little as one that ran on
        if self.strict is not None and limited and self.exchange is not None and away > self.strict:
            raise StoreUnavailable("what this key has used cannot be known now; try again later")

    def _hold_to_rate(self, key: Key, now: float) -> None:
        if key.rate is None:
            return
        before = self._known.get(Count(key.name, minute(now, 1), "requests"), 0.0)
        current = self._known.get(Count(key.name, minute(now), "requests"), 0.0)
        if seconds := wait(before, current, now % MINUTE, key.rate):
            raise RateLimited(f"this key may ask {key.rate} times a minute", retry_after=seconds)

    def _hold_to_budgets(self, key: Key, now: float) -> None:
        if not key.budgets:
            return
        windows = self._at(now)
        for period, allowed in key.budgets.items():
            if self._share(key.name, period, allowed, windows) >= 1:
                _, ends = windows.of(period)
                raise BudgetSpent(f"this key's budget for the {period} is spent, or held by its requests under way", retry_after=ends - now)

    def _share(self, name: str, period: Period, allowed: Allowance, windows: Windows) -> float:
        window, _ = windows.of(period)
        held = self._held.get(name, Taken())
        shares = (
            _ratio(self._known.get(Count(name, window, "usd"), 0.0) + held.usd, allowed.usd),
            _ratio(self._known.get(Count(name, window, "tokens"), 0.0) + held.tokens, allowed.tokens),
        )
        return max(shares)

    def _add(self, count: Count, amount: float) -> None:
        self._known[count] = self._known.get(count, 0.0) + amount
        if self.exchange is not None:
            self._untold[count] += amount  # type: ignore[assignment]  # its stubs know whole numbers only

    def _counts(self, name: str, now: float) -> Iterator[Count]:
        windows = self._at(now)
        for window in (windows.day, windows.month):
            yield Count(name, window, "usd")
            yield Count(name, window, "tokens")
        yield Count(name, minute(now), "requests")
        yield Count(name, minute(now, 1), "requests")

    def _at(self, now: float) -> Windows:
        if not self._windows.day_ends - 86_400 <= now < self._windows.day_ends:
            self._windows = Windows.at(now)
        return self._windows

    def _forget(self, now: float) -> None:
        windows = self._at(now)
        current = {windows.day, windows.month, minute(now), minute(now, 1)}
        self._known = {count: amount for count, amount in self._known.items() if count.window in current}
        self._asked = {name: asked for name, asked in self._asked.items() if now - asked < 2 * MINUTE}
        for count in [count for count in self._untold if count.kind == "requests" and count.window not in current]:
            del self._untold[count]


def _ratio(used: float, allowed: float | None) -> float:
    if allowed is None:
        return 0.0
    return used / allowed if allowed else 1.0
