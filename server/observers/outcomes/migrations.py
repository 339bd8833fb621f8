"""Bringing a database to the newest version, one worker at a time.

A new database is created whole; an older one takes the steps that it lacks, all in one transaction. Alembic would bring a folder of
scripts, an ini file, a template engine and a command of its own for these few tables; a tuple of functions does.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, inspect, select

from server.observers.outcomes.ports import StoreLost
from server.observers.outcomes.tables import calibrations, metadata, versions

Step = Callable[[Connection], None]


def _calibrations(connection: Connection) -> None:
    """Version 2: calibrations that were fitted again from the store's own labels."""
    calibrations.create(connection)


def _owners(connection: Connection) -> None:
    """Version 3: whose key an answer was asked with."""
    connection.exec_driver_sql("ALTER TABLE outcomes ADD COLUMN owner VARCHAR DEFAULT '' NOT NULL")


STEPS: Sequence[Step] = (_calibrations, _owners)
"""Step k brings version k + 1 to version k + 2."""

_LOCK = 0x5F0C0DE
"""PostgreSQL's advisory lock of the migration."""


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Create or upgrade; the caller commits. Raises StoreLost where a newer release has upgraded the database."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if not inspect(connection).has_table(versions.name):
        metadata.create_all(connection)
        connection.execute(versions.insert().values(version=1 + len(steps)))
        return
    _upgrade(connection, steps)


def _upgrade(connection: Connection, steps: Sequence[Step]) -> None:
    version = connection.execute(select(versions.c.version)).scalar_one()
    if version > 1 + len(steps):
        raise StoreLost(f"the outcome store has version {version}, this release knows {1 + len(steps)}: a newer release has upgraded it")
    for step in steps[version - 1 :]:
        step(connection)
    connection.execute(versions.update().values(version=1 + len(steps)))
