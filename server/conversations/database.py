"""Stored responses in a database: all workers and replicas see the same, and a restart loses nothing."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, Engine, Float, Integer, LargeBinary, MetaData, String, Table, delete, insert, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from router.errors import StoreUnavailable
from server.api.conversations import Stored
from server.conversations.memory import DAY, weight

_metadata = MetaData()
_table = Table(
    "stored_responses",
    _metadata,
    Column("id", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("earlier", Integer, nullable=False),
    Column("items", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

_ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"SELECT pg_advisory_xact_lock({0x5F0C0DF})"}
"""Begins the transaction in which one worker makes the table."""
_AWAY = "the store of responses cannot be reached"
ROUND = 600.0
"""Seconds after which what is too old is looked for again."""
JUMP = 60.0
"""Seconds that the wall clock may gain or lose in a round; beyond that it has jumped."""
PAUSE = 2.0
"""Seconds between two tries of a database that is away: only who tries waits for it, and not every answer."""


@dataclass(slots=True)
class InDatabase:
    """At most `rows` responses, none longer than `limit` bytes or older than `days`; `wall` is in seconds since the epoch."""

    engine: Engine
    rows: int
    limit: int
    days: float
    wall: Callable[[], float]
    every: int = 64
    clock: Callable[[], float] = time.monotonic
    _kept: int = 0
    _ready: bool = False
    _tried: float | None = None
    """When a database that is away was tried last."""
    _looked: tuple[float, float] | None = None
    """When what is too old was looked for last, by both clocks."""
    _preparing: threading.Lock = field(default_factory=threading.Lock)

    async def keep(self, stored: Stored) -> bool:
        """Write it; what is too many goes at the first write and at each `every`th after it, with what is too old in every round."""
        if weight(stored) > self.limit:
            return False
        await asyncio.to_thread(self._write, stored)
        return True

    async def find(self, response_id: str, owner: str) -> Stored | None:
        """Its owner's, while it is young enough."""
        return await asyncio.to_thread(self._read, response_id, owner)

    async def drop(self, response_id: str, owner: str) -> bool:
        """Only its owner may."""
        return await asyncio.to_thread(self._delete, response_id, owner)

    async def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _write(self, stored: Stored) -> None:
        row = {"id": stored.id, "owner": stored.owner, "at": self.wall(), "earlier": stored.earlier}
        with self._transaction() as connection:
            connection.execute(insert(_table).values(**row, items=stored.items, body=stored.body))
            if self._kept % self.every == 0:
                self._trim(connection)
        self._kept += 1

    def _read(self, response_id: str, owner: str) -> Stored | None:
        young = _table.c.at >= self.wall() - self.days * DAY
        with self._transaction() as connection:
            row = connection.execute(select(_table).where(_table.c.id == response_id, _table.c.owner == owner, young)).first()
        return None if row is None else Stored(row.id, row.owner, bytes(row.items), row.earlier, bytes(row.body))

    def _delete(self, response_id: str, owner: str) -> bool:
        with self._transaction() as connection:
            return connection.execute(delete(_table).where(_table.c.id == response_id, _table.c.owner == owner)).rowcount > 0

    def _trim(self, connection: Connection) -> None:
        if self._steady():
            now = self.wall()
            connection.execute(delete(_table).where(_table.c.at < now - self.days * DAY))
            connection.execute(update(_table).where(_table.c.at > now).values(at=now))  # or what comes now would be older, and go first
        last = connection.execute(select(_table.c.at).order_by(_table.c.at.desc()).offset(self.rows).limit(1)).scalar()
        if last is not None:
            connection.execute(delete(_table).where(_table.c.at <= last))

    def _steady(self) -> bool:
        """Whether a round is over in which the wall clock went as time does: to one that jumped all may look old, or of the future."""
        now, before = (self.clock(), self.wall()), self._looked
        if before is not None and now[0] < before[0] + ROUND:
            return False
        self._looked = now
        return before is not None and abs((now[1] - before[1]) - (now[0] - before[0])) <= JUMP

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            self._prepare()
            with self.engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            if isinstance(error, OperationalError | NoConnection | OSError):
                self._tried = self.clock()
            raise StoreUnavailable(_AWAY) from error
        self._tried = None

    def _prepare(self) -> None:
        with self._preparing:
            if self._tried is not None:
                if self.clock() < self._tried + PAUSE:
                    raise StoreUnavailable(_AWAY)
                self._tried = self.clock()
            if not self._ready:
                self._make()

    def _make(self) -> None:
        """The table; who waits meanwhile shall not wait for the same in vain."""
        try:
            with self.engine.connect() as connection:
                connection.exec_driver_sql(_ALONE[connection.dialect.name])
                _metadata.create_all(connection)
                connection.commit()
        except (SQLAlchemyError, OSError):
            self._tried = self.clock()
            raise
        self._ready = True
