"""What no outcome tells: labels, audits, idle machines, the health of engines, what keys have used."""

from router.types import Energy, Usage
from server.observers.metrics.families import Families


class Beside:
    """Told by whoever knows."""

    def __init__(self, families: Families) -> None:
        self._to = families

    def labelled(self, route: str, source: str, success: bool) -> None:
        """A label more."""
        self._to.of(self._to.labels, route, source, "true" if success else "false").inc()

    def lost(self, count: int) -> None:
        """Entries that the store never took."""
        self._to.lost.inc(count)

    def audit_cost(self, route: str, tier: str, dollars: float) -> None:
        """What an audit cost."""
        self._to.of(self._to.cost, route, tier, "audit").inc(dollars)

    def audit_tokens(self, route: str, tier: str, usage: Usage) -> None:
        """What an audit read and wrote."""
        self._to.count_tokens(route, tier, "audit_", usage)

    def audit_energy(self, tier: str, energy: Energy) -> None:
        """What an audit took."""
        self._to.count_joules(tier, (energy,))

    def audit_missed(self, route: str, reason: str) -> None:
        """An audit that made no label."""
        self._to.of(self._to.missed, route, reason).inc()

    def idle_joules(self, method: str, joules: float) -> None:
        """Nobody ran meanwhile."""
        self._to.of(self._to.idle_energy, method).inc(joules)

    def idle_dollars(self, machine: str, dollars: float) -> None:
        """Nobody ran on it meanwhile."""
        self._to.of(self._to.idle_cost, machine).inc(dollars)

    def engine_up(self, engine: str, up: bool) -> None:
        """As of its last health check."""
        self._to.of(self._to.up, engine).set(1 if up else 0)

    def key_budget(self, key: str, period: str, share: float) -> None:
        """How much of its budget a key has used, or holds."""
        self._to.of(self._to.key_budget, key, period).set(share)

    def ledger_lost(self) -> None:
        """An exchange that failed."""
        self._to.ledger_lost.inc()
