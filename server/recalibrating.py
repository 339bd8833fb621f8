"""Fitting a route again from the labels of its own outcomes, on a rolling window: by command, or by a schedule that one worker carries out.

The new calibration goes into the shared store, in place of the configured one, and every worker follows. An operator who deploys another
artifact has the last word: what was fitted in place of the old one no longer counts.
"""

import asyncio
import json
import multiprocessing
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from router.calibration.artifact import LEARNED, Artifact
from router.calibration.fit import fit
from router.calibration.options import Options
from router.calibration.stored import dump, parse
from router.errors import ConfigError, InvalidRequest
from router.evaluation.drafts import Tiers, examples
from router.evaluation.records import read
from router.registry import scores
from router.types import Price
from server.observers.outcomes.address import engine
from server.observers.outcomes.database import Database
from server.observers.outcomes.export import records
from server.observers.outcomes.ports import Refitted, Source, Store, StoreLost, Unfit
from server.orphans import end_with_starter

_DAY = 86_400.0
_LATEST = 10_000
"""Labels among which a new one of the right kind is looked for: all that is new stands last."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a route is fitted again: first and last tier, prices, the score that it judges by, `days` of labels, `least` of them.

    `source` is where labels must come from (`None`: anywhere); `base` is the fingerprint of the configured calibration. A plan of a
    stricter `target` fits that one's calibration, to what it promises.
    """

    route: str
    base: str
    tiers: Tiers
    options: Options
    prices: Mapping[str, Price]
    score: str = LEARNED
    days: float = 30.0
    least: int = 500
    source: Source | None = "audit"
    target: str | None = None

    @property
    def name(self) -> str:
        """Of the calibration, among all; a route's name has no slash."""
        return self.route if self.target is None else f"{self.route}/{self.target}"


def refit(store: Store, plan: Plan, now: float, progress: Callable[[str], None] = lambda line: None) -> Artifact:
    """A new artifact; raises InvalidRequest where the labels are too few or do not allow it, StoreLost where the store cannot be read."""
    with TemporaryDirectory() as folder:
        path, count = Path(folder) / "outcomes.jsonl", 0
        with path.open("w", encoding="utf-8") as out:
            for record in _usable(store, plan, now):
                out.write(json.dumps(record) + "\n")
                count += 1
        if count < plan.least:
            raise InvalidRequest(f"route {plan.name}: {count} labelled outcomes in {plan.days:g} days, {plan.least} are needed")
        progress(f"route {plan.name}: {count} labelled outcomes")
        raw = {kind: scores.build({"kind": kind}, "scores") for kind in scores.kinds()}
        found = examples(list(read([path])), plan.tiers, raw, plan.prices)
    artifact = fit(found, plan.options, progress)
    if plan.score not in artifact.stored.signals:
        raise InvalidRequest(f"route {plan.route}: the outcomes do not tell the score {plan.score!r}: it needs outcomes.content")
    return artifact


def _usable(store: Store, plan: Plan, now: float) -> Iterator[Mapping[str, Any]]:
    """Records that label a draft of the small tier."""
    for record in records(store, plan.source, plan.route, now - plan.days * _DAY):
        small = record["tiers"].get(plan.tiers.small)
        if small is not None and ("features" in small or "message" in small):
            yield record


def adopt(store: Store, plan: Plan, artifact: Artifact, now: float) -> None:
    """Let every worker follow."""
    store.adopt(Refitted(plan.name, plan.base, artifact.certificate.fingerprint, now, dump(artifact.stored)))


def refit_apart(url: str, folder: Path, plan: Plan, now: float) -> str:
    """The whole work in a process of its own, so that serving goes on; returns a sentence on what came of it.

    Without anything new to learn from, the same labels would give the same once more, or fewer of them something worse.
    """
    store = Database(engine(url, folder))
    try:
        if not _learnt(store, plan, now):
            return "not calibrated again: no new labels since the last time"
        artifact = refit(store, plan, now)
        adopt(store, plan, artifact, now)
    except (InvalidRequest, ConfigError) as refusal:
        return f"not calibrated again: {refusal.message}"
    except (StoreLost, Unfit) as loss:
        return f"not calibrated again: {loss}"
    finally:
        store.close()
    return f"calibrated again on {artifact.certificate.records} labels: " + ("; ".join(artifact.notices(plan.score)) or "certified")


def _learnt(store: Store, plan: Plan, now: float) -> bool:
    """Whether a label has come since the calibration in the store was fitted; that of another target counts as none."""
    known = store.adopted(plan.name, plan.base)
    if known is None:
        return True
    had, wanted = parse(known.body, f"the store's calibration of {plan.name}").certificate, plan.options
    if (had.max_error, had.confidence, had.max_cost) != (wanted.max_error, wanted.confidence, wanted.max_cost):
        return True
    latest = store.labels(plan.route, now - plan.days * _DAY, _LATEST)
    return any(label.at > known.at and label.tier == plan.tiers.small and plan.source in (None, label.source) for label in latest)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A plan, and how many seconds lie between two of its runs (`None`: only the command fits)."""

    plan: Plan
    every: float | None = None


@dataclass(slots=True)
class Recalibrator:
    """Follows what was fitted again, and fits on schedule; `install` puts a plan's new calibration to work, raises ConfigError if not.

    `routes` are plans by their names.

    A lease that lasts from one run to the next is the schedule: whichever worker gets it does the work.
    """

    store: Store
    url: str
    folder: Path
    routes: Mapping[str, Scheduled]
    install: Callable[[Plan, Artifact], None]
    log: Callable[[str], object] = lambda sentence: None
    wall: Callable[[], float] = time.time
    poll_every: float = 10.0
    _known: dict[str, str] = field(default_factory=dict, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _closing: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _pool: ProcessPoolExecutor | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin; in the event loop that serves."""
        if self.routes and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop; a fit under way is given up."""
        self._closing.set()
        if self._pool is not None:
            _kill(self._pool)
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._closing.is_set():
            try:
                due = await asyncio.to_thread(self.poll)
            except (StoreLost, Unfit):
                due = []  # the watcher tells of a lost store
            for scheduled in due:
                self.log(f"route {scheduled.plan.name}: {await self._apart(scheduled.plan)}")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self.poll_every)

    def poll(self) -> list[Scheduled]:
        """Install what is new; returns what is due and now this worker's to do."""
        for name, scheduled in self.routes.items():
            found = self.store.adopted(name, scheduled.plan.base)
            if found is not None and self._known.get(name) != found.fingerprint:
                self._known[name] = found.fingerprint
                self._install(scheduled.plan, found)
        return [each for each in self.routes.values() if each.every is not None and self._mine(each.plan.name, each.every)]

    def _install(self, plan: Plan, found: Refitted) -> None:
        try:
            self.install(plan, Artifact.of(parse(found.body, f"the store's calibration of {found.route}")))
        except (ConfigError, ValueError) as refusal:
            self.log(f"route {found.route}: a calibration that was fitted again is not used: {refusal}")
        else:
            self.log(f"route {found.route}: the calibration fitted again is in use ({found.fingerprint[:23]})")

    def _mine(self, route: str, every: float) -> bool:
        return self.store.lease(f"recalibrate:{route}", uuid.uuid4().hex, every, self.wall())

    async def _apart(self, plan: Plan) -> str:
        if self._closing.is_set():
            return "not calibrated again: the server stops"
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=end_with_starter)
        try:
            return await asyncio.wrap_future(self._pool.submit(refit_apart, self.url, self.folder, plan, self.wall()))
        except BrokenProcessPool:
            return "not calibrated again: the process that fitted was stopped"
        finally:
            self._pool.shutdown(wait=False)
            self._pool = None


def _kill(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.kill()
