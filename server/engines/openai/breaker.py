"""A circuit breaker as a value: closed, open for a while after failures in a row, then one probe at a time."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Breaker:
    """`limit` failures in a row open it for `pause` seconds, doubled by each failed probe up to `longest`; the clock is the caller's."""

    limit: int = 5
    pause: float = 5.0
    longest: float = 60.0
    failures: int = 0
    opened: float | None = None
    wait: float = 0.0
    probing: bool = False

    def admits(self, now: float) -> bool:
        """Whether a call may be sent now; open and rested, only while no probe is under way."""
        if self.opened is None:
            return True
        return not self.probing and now >= self.opened + self.wait

    def sent(self) -> "Breaker":
        """A call goes out while it is open: the probe."""
        return replace(self, probing=True)

    def succeeded(self) -> "Breaker":
        """The server answered as it should."""
        return replace(self, failures=0, opened=None, wait=0.0, probing=False)

    def failed(self, now: float) -> "Breaker":
        """The server did not answer as it should."""
        if self.opened is not None:
            return replace(self, opened=now, wait=min(self.longest, self.wait * 2), probing=False)
        failures = self.failures + 1
        if failures < self.limit:
            return replace(self, failures=failures)
        return replace(self, failures=failures, opened=now, wait=self.pause, probing=False)

    def released(self) -> "Breaker":
        """The call ended without saying anything of the server, as a cancelled one does."""
        return replace(self, probing=False) if self.probing else self
