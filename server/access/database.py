"""The ledger's exchange through the database of the outcomes: for the workers of one machine, and so that a restart forgets nothing."""

import asyncio
import time
from collections.abc import Mapping

from sqlalchemy import Column, Engine, Float, MetaData, Select, String, Table, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from router.errors import StoreUnavailable
from server.access.ledger import Count

_META = MetaData()
COUNTS = Table(
    "key_counts",
    _META,
    Column("key", String(64), primary_key=True),
    Column("window", String(16), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("amount", Float, nullable=False),
    Column("changed", Float, nullable=False),
)
BATCHES = Table("key_batches", _META, Column("batch", String(32), primary_key=True), Column("told", Float, nullable=False))
DAY = 86_400.0
KEPT, REMEMBERED = 40 * DAY, 3600.0
_ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"SELECT pg_advisory_xact_lock({0x5F0C0E0})"}
"""Begins the transaction in which one worker makes the tables."""
TOGETHER = 200
"""How many counts one statement names."""


class InTable:
    """Counts kept in two tables, made on first use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made = False
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._cleaned = 0.0

    async def tell(self, batch: str, counted: Mapping[Count, float]) -> Mapping[Count, float]:
        """Add and read in one transaction."""
        try:
            return await asyncio.to_thread(self._tell, batch, counted)
        except SQLAlchemyError as error:
            told = f"keys' rates and budgets are counted alone: the database failed ({type(error).__name__})"
            raise StoreUnavailable(told) from error

    async def close(self) -> None:
        """End the connections."""
        await asyncio.to_thread(self._engine.dispose)

    def _tell(self, batch: str, counted: Mapping[Count, float]) -> dict[Count, float]:
        now = time.time()
        self._prepare(now)
        changed = [count for count, amount in counted.items() if amount]
        with self._engine.begin() as connection:
            if changed:
                fresh = self._insert(BATCHES).values(batch=batch, told=now).on_conflict_do_nothing().returning(BATCHES.c.batch)
                if connection.execute(fresh).first():
                    rows = [{**count._asdict(), "amount": counted[count], "changed": now} for count in sorted(changed)]
                    adding = self._insert(COUNTS)
                    update = {"amount": COUNTS.c.amount + adding.excluded.amount, "changed": now}
                    connection.execute(adding.on_conflict_do_update(index_elements=["key", "window", "kind"], set_=update), rows)
            asked = list(counted)
            found = [self._read(asked[start : start + TOGETHER]) for start in range(0, len(asked), TOGETHER)]
            totals = {Count(row.key, row.window, row.kind): row.amount for query in found for row in connection.execute(query)}
        return {count: totals.get(count, 0.0) for count in counted}

    def _read(self, counts: list[Count]) -> Select[tuple[str, str, str, float, float]]:
        return select(COUNTS).where(tuple_(COUNTS.c.key, COUNTS.c.window, COUNTS.c.kind).in_([tuple(count) for count in counts]))

    def _prepare(self, now: float) -> None:
        if not self._made:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(_ALONE[connection.dialect.name])
                _META.create_all(connection)
                connection.commit()
            self._made = True
        if now - self._cleaned > REMEMBERED:
            with self._engine.begin() as connection:
                minutes = COUNTS.c.window.like("m%") & (COUNTS.c.changed < now - REMEMBERED)
                connection.execute(delete(COUNTS).where(minutes | (COUNTS.c.changed < now - KEPT)))
                connection.execute(delete(BATCHES).where(BATCHES.c.told < now - REMEMBERED))
            self._cleaned = now
