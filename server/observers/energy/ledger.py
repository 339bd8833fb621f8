"""What a counter measured, shared among the calls that ran meanwhile by the tokens that they made; what nobody ran for is idle.

The counter may be joules, or a machine's dollars. What it counts while calls run goes into a pot. A call that ends takes the part of the
pot that its tokens are of all tokens made so far by the calls that run: its own are known, those of the others as far as they have shown
them, and a call that shows none until its end is taken to go at the usual pace of its engine. Between two readings the pot fills at
the rate last seen; the next reading puts it right, so that at every reading charged + idle + elsewhere + pot = measured.

A call that the counter did not see whole has no amount. What its part was is nobody's then (`elsewhere`): left in the pot it would be
charged to whoever ends next.

Where several processes share the counter, this one takes the part of every moment that its calls are of all that run.
"""

from dataclasses import dataclass, field

STALE = 5.0
"""A counter that was not read for this many times its usual interval (and a second) tells nothing of the calls that run now."""

SELDOM = 60.0
"""Seconds: a longer interval between two readings is no usual one."""

MOST = 1e6
"""What no counter gains in a second: megawatts are no machine's, but a counter that has jumped."""

SMOOTH = 0.2
"""The weight of the newest call in an engine's pace."""


@dataclass(slots=True)
class Lane:
    """The running calls of one engine; `weight` is what one of its tokens takes relative to the other engines on the same counter."""

    weight: float = 1.0
    pace: float | None = None
    silent: int = 0
    starts: float = 0.0
    shown: float = 0.0

    def made(self, now: float, pace: float) -> float:
        """Weighted tokens that its running calls have made by now; `pace` stands in where none has ended yet."""
        usual = pace if self.pace is None else self.pace
        return self.shown + usual * max(0.0, self.silent * now - self.starts)


@dataclass(slots=True)
class Call:
    """A call under way; `shown` are its weighted tokens so far."""

    lane: Lane
    start: float
    shown: float = 0.0
    silent: bool = True


@dataclass(slots=True)
class Crew:
    """This process alone: nothing runs elsewhere."""

    size: int = 1

    def tell(self, running: int) -> None:
        """How many calls run here now."""

    def others(self) -> int:
        """How many calls run in the other processes now."""
        return 0


@dataclass(slots=True)
class Ledger:
    """One counter; `every` is how often it is read, in seconds, as all times here are. Amounts are in the counter's unit."""

    every: float
    crew: Crew = field(default_factory=Crew)
    lanes: dict[str, Lane] = field(default_factory=dict)
    measured: float = 0.0
    charged: float = 0.0
    idle: float = 0.0
    elsewhere: float = 0.0
    pot: float = 0.0
    _running: int = 0
    _at: float | None = None
    _busy: float = 0.0
    _mine: float = 0.0
    _read: tuple[float, float] | None = None
    _rate: float | None = None
    _floor: float | None = None
    _usual: float = 0.0
    _since: float = 0.0
    _missed: bool = False

    def begin(self, engine: str, now: float) -> Call:
        """A call of that engine starts."""
        self._pass(now)
        self._running += 1
        self.crew.tell(self._running)
        lane = self.lanes[engine]
        lane.silent += 1
        lane.starts += now
        return Call(lane, now)

    def show(self, call: Call, tokens: float) -> None:
        """The call has made so many tokens more."""
        lane, weighted = call.lane, tokens * call.lane.weight
        if call.silent:
            call.silent = False
            lane.silent -= 1
            lane.starts -= call.start
        call.shown += weighted
        lane.shown += weighted

    def end(self, call: Call, tokens: float, now: float) -> float | None:
        """The call is over, with `tokens` in all; what it takes from the pot, `None` where the counter is silent, or was meanwhile."""
        self._pass(now)
        lane, own = call.lane, max(tokens * call.lane.weight, 0.0)
        self._leave(call)
        pace = own / max(now - call.start, 1e-6)
        others = sum(other.made(now, pace) for other in self.lanes.values())
        if own:
            lane.pace = pace if lane.pace is None else lane.pace + SMOOTH * (pace - lane.pace)
        if self._rate is None or self.stale(now, 1.0 + STALE * max(self.every, self._usual)):
            self._missed = True
            return None
        there = max(0.0, self.pot + self._rate * self._mine)
        amount = there if not self._running else there * own / (own + others) if own else 0.0
        self.pot -= amount
        if call.start < self._since:
            self.elsewhere += amount
            return None
        self.charged += amount
        return amount

    def read(self, total: float, now: float) -> float:
        """The counter stands at `total`; returns what was idle since the last reading. A counter that fell back or jumped began anew."""
        self._pass(now)
        last = self._read
        if last is not None and now <= last[1]:
            return 0.0
        busy, mine = self._busy, self._mine
        self._read, self._busy, self._mine = (total, now), 0.0, 0.0
        if last is None or not 0 <= total - last[0] <= MOST * (1.0 + now - last[1]):
            self._begin_anew(now)
            return 0.0
        self._usual = min(now - last[1], SELDOM)
        idle = self._share(total - last[0], now - last[1], min(busy, now - last[1]), mine)
        if self._missed:
            self._begin_anew(now)
        return idle

    def look(self, now: float) -> None:
        """Count the time until now by who runs: the other processes are seen only when one looks."""
        self._pass(now)

    def stale(self, now: float, after: float) -> bool:
        """Whether the counter was not read for `after` seconds."""
        return self._read is None or now - self._read[1] >= after

    def _begin_anew(self, now: float) -> None:
        """Of what was drawn until now there is a call whose part nobody knows."""
        self._since, self._missed = now, False
        self.elsewhere += self.pot
        self.pot = 0.0

    def _share(self, amount: float, seconds: float, busy: float, mine: float) -> float:
        """At rest the counter goes on at the rate it had when nothing ran at all; before that was seen, at the mean rate."""
        floor = amount / seconds if self._floor is None else self._floor
        resting = min(amount, floor * (seconds - busy)) if busy else amount
        if not busy:
            self._floor = amount / seconds
        working = amount - resting
        own = working * min(1.0, mine / busy) if busy else 0.0
        if busy:
            self._rate = working / busy
        idle = resting / self.crew.size
        self.measured += amount
        self.idle += idle
        self.pot += own
        self.elsewhere += amount - idle - own
        return idle

    def _pass(self, now: float) -> None:
        """Count the time since the last event, by who ran in it."""
        elapsed, self._at = (0.0 if self._at is None else now - self._at), now
        everyone = self._running + self.crew.others()
        if everyone and elapsed > 0.0:
            self._busy += elapsed
            self._mine += elapsed * self._running / everyone

    def _leave(self, call: Call) -> None:
        self._running -= 1
        self.crew.tell(self._running)
        if call.silent:
            call.lane.silent -= 1
            call.lane.starts -= call.start
        call.lane.shown -= call.shown
        if not self._running:  # what rounding left
            for lane in self.lanes.values():
                lane.silent, lane.starts, lane.shown = 0, 0.0, 0.0
