"""Where a store is: a URL of the configuration as a database engine."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from router.errors import ConfigError

KEY = "outcomes.url"
_SECONDS = 3
_FOLDED = 250
"""Pages of the log after which a writer folds it into the database: with SQLite's 1,000 that takes 7 ms of CPU at once, for which the
requests of a gateway that has one core wait; with 250 it takes 3, and each row 4 µs more."""

_POOL: dict[str, Any] = {"pool_size": 4, "pool_use_lifo": True}
"""Who asks gets the connection that was used last: in turns each would fill its own 2 MB of pages, and find them outdated."""


def engine(url: str, folder: Path, key: str = KEY) -> Engine:
    """An engine that connects on first use; a relative path starts at `folder`.

    Raises ConfigError naming `key` for what no store can be made of.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"{key}: not a database's URL", param=key) from error
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed, folder, key)
        case "postgresql":
            return _postgresql(parsed, key)
        case other:
            raise ConfigError(f"{key}: {other} is not served; use sqlite:///PATH or postgresql://…", param=key)


def _sqlite(url: URL, folder: Path, key: str) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigError(f"{key}: SQLite needs a file, sqlite:///state/{key.partition('.')[0]}.db", param=key)
    path = folder / url.database  # an absolute path stands for itself
    made = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": _SECONDS, "isolation_level": "IMMEDIATE"}, **_POOL
    )

    @event.listens_for(made, "connect")
    def prepare(connection: Any, record: Any) -> None:
        _patiently(connection, "PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_FOLDED}")
        record.info["file"] = _identity(path)

    @event.listens_for(made, "checkout")
    def same(_connection: object, record: Any, _proxy: object) -> None:
        """SQLite goes on writing to a file that was deleted, where nobody will ever find it."""
        if record.info["file"] != _identity(path):
            raise DisconnectionError("the file was moved or deleted")

    @event.listens_for(made, "do_connect")
    def make_folder(*_given: object) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    return made


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """SQLite's own patience does not reach a change of the journal's mode, which several processes make at once of a new file."""
    end = time.monotonic() + _SECONDS
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
            time.sleep(0.01)
        else:
            return


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _postgresql(url: URL, key: str) -> Engine:
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": _SECONDS}, pool_pre_ping=True, **_POOL
        )
    except ModuleNotFoundError as error:
        raise ConfigError(f"{key}: PostgreSQL needs the extra `postgres`: pip install 'smallfirst[postgres]'", param=key) from error
