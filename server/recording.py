"""Everything that follows outcomes once they are there: the recorder, the audits, the watch; made together, started and closed together."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from router.ports import Engine
from router.types import Energy, Usage
from server.auditing import Audited, Auditor, Heard
from server.observers.outcomes.address import engine as reached
from server.observers.outcomes.database import Database
from server.observers.outcomes.encoding import Encoder
from server.observers.outcomes.ports import Retention
from server.observers.outcomes.recorder import Bounds, Recorder, Told
from server.watcher import Gauges, Silent, Watched, Watcher


@dataclass(frozen=True, slots=True)
class Meters:
    """What is counted: entries lost; labels (route, source, success); audits by route and tier: dollars, joules, why missed; the watch."""

    lost: Callable[[int], None] = lambda count: None
    labelled: Callable[[str, str, bool], None] = lambda route, source, success: None
    audit_cost: Callable[[str, str, float], None] = lambda route, tier, dollars: None
    audit_missed: Callable[[str, str], None] = lambda route, reason: None
    gauges: Gauges = Silent()  # noqa: RUF009  # frozen, and it holds nothing
    log: Callable[[str], object] = lambda sentence: None
    audit_energy: Callable[[str, Energy], None] = lambda tier, energy: None
    audit_tokens: Callable[[str, str, Usage], None] = lambda route, tier, usage: None


@dataclass(frozen=True, slots=True)
class Kept:
    """What the configuration says of the store; a relative path of `url` starts at `folder`, `queue` entries may wait for it."""

    url: str
    folder: Path
    content: bool = False
    retention: Retention = Retention()  # noqa: RUF009  # frozen
    queue: int = 10_000


@dataclass(frozen=True, slots=True)
class Recording:
    """The followers of every outcome."""

    recorder: Recorder
    auditor: Auditor
    watcher: Watcher

    @property
    def observers(self) -> tuple[Recorder | Auditor, ...]:
        """Who observes outcomes: it is recorded before lots are drawn for its audit, where there are audits."""
        return (self.recorder, self.auditor) if self.auditor.routes else (self.recorder,)

    async def take(self, response_id: str, correct: float, expected: object, owner: str | None) -> bool:
        """Join feedback to its response; false where no such response is known, or none of the `owner`'s."""
        return await self.recorder.feedback(response_id, correct, expected, owner)

    def floor(self, route: str) -> Callable[[], float]:
        """The least confidence that the route keeps, whenever asked."""
        return lambda: self.watcher.floor(route)

    def start(self) -> None:
        """Begin to watch; in the event loop that serves."""
        self.watcher.start()

    async def close(self) -> None:
        """Audits first, for their labels must still be written."""
        await self.auditor.close()
        await self.watcher.close()
        await asyncio.to_thread(self.recorder.close)


def recording(
    kept: Kept, engines: Mapping[str, Engine], watched: Mapping[str, Watched], audited: Mapping[str, Audited], meters: Meters
) -> Recording:
    """The followers over one store, which is first reached when it is first needed; raises ConfigError for a URL that no store has."""
    store = Database(reached(kept.url, kept.folder))
    told = Told(meters.lost, meters.labelled, meters.log)
    recorder = Recorder(store, Encoder(kept.content), told=told, bounds=Bounds(kept.queue), retention=kept.retention)
    heard = Heard(recorder.label, meters.audit_cost, meters.audit_missed, meters.audit_energy, meters.audit_tokens)
    watcher = Watcher(store, dict(watched), meters.gauges, meters.log)
    return Recording(recorder, Auditor(audited, engines, heard, content=kept.content), watcher)
