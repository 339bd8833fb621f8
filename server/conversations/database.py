"""Stored responses in a database: all workers and replicas see the same, and a restart loses nothing."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, Engine, Float, Integer, LargeBinary, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

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


@dataclass(slots=True)
class InDatabase:
    """At most `rows` responses, none longer than `limit` bytes or older than `days`; `wall` is in seconds since the epoch."""

    engine: Engine
    rows: int
    limit: int
    days: float
    wall: Callable[[], float]
    every: int = 64
    _kept: int = 0
    _ready: bool = False
    _preparing: threading.Lock = field(default_factory=threading.Lock)

    async def keep(self, stored: Stored) -> bool:
        """Write it; what is too old or too many goes at the first write and at each `every`th after it."""
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
        connection.execute(delete(_table).where(_table.c.at < self.wall() - self.days * DAY))
        last = connection.execute(select(_table.c.at).order_by(_table.c.at.desc()).offset(self.rows).limit(1)).scalar()
        if last is not None:
            connection.execute(delete(_table).where(_table.c.at <= last))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            self._prepare()
            with self.engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable("the store of responses cannot be reached") from error

    def _prepare(self) -> None:
        with self._preparing:
            if not self._ready:
                with self.engine.connect() as connection:
                    connection.exec_driver_sql(_ALONE[connection.dialect.name])
                    _metadata.create_all(connection)
                    connection.commit()
                self._ready = True
