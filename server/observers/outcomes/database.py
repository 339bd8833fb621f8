"""The store on SQLite or PostgreSQL; the only place that speaks to SQLAlchemy's errors."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from server.observers.outcomes.migrations import migrate
from server.observers.outcomes.ports import Entry, Feedback, Floor, Label, Refitted, Retention, Row, Source, StoreLost, Unfit, Written
from server.observers.outcomes.tables import calibrations, floors, labels, leases, outcomes

_DAY = 86_400.0
_PAGE = 500
_AT_ONCE = 64
_ROW, _LABEL, _FLOOR, _REFITTED = (tuple(f.name for f in fields(kind)) for kind in (Row, Label, Floor, Refitted))
_values = attrgetter(*_ROW)


class Database:
    """A store over one engine; it connects, and brings the tables to the newest version, when it is first used."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._ready, self._preparing = engine, False, threading.Lock()

    def write(self, entries: Sequence[Entry]) -> Written:
        """Rows first, for a label may speak of a row beside it."""
        rows = [_values(entry) for entry in entries if isinstance(entry, Row)]
        changed, unknown = [], []
        with self._transaction() as connection:
            _add(connection, rows)
            for entry in entries:
                if isinstance(entry, Row):
                    continue
                label = _resolved(connection, entry) if isinstance(entry, Feedback) else entry
                if label is None:
                    unknown.append(entry.response_id)
                elif _store(connection, label):
                    changed.append(label)
        return Written(tuple(changed), tuple(unknown))

    def trim(self, retention: Retention, now: float) -> int:
        """By age, then by number; text by its own age."""
        deleted = 0
        with self._transaction() as connection:
            if retention.content_days is not None:
                old = and_(outcomes.c.at < now - retention.content_days * _DAY, outcomes.c.content.is_not(None))
                connection.execute(update(outcomes).where(old).values(content=None))
                connection.execute(update(labels).where(labels.c.at < now - retention.content_days * _DAY).values(detail=None))
            if retention.days is not None:
                connection.execute(delete(labels).where(labels.c.at < now - retention.days * _DAY))
                deleted += connection.execute(delete(outcomes).where(outcomes.c.at < now - retention.days * _DAY)).rowcount
            if retention.rows is not None:
                newest = select(outcomes.c.id).order_by(outcomes.c.id.desc()).offset(retention.rows).limit(1).scalar_subquery()
                deleted += connection.execute(delete(outcomes).where(outcomes.c.id <= newest)).rowcount
        return deleted

    def labelled(
        self, source: Source | None = None, route: str | None = None, since: float | None = None
    ) -> Iterator[tuple[Row, tuple[Label, ...]]]:
        """Page by page, so that neither memory nor a reader's lock grows with the store."""
        wanted = [labels.c.response_id == outcomes.c.response_id, *([labels.c.source == source] if source else [])]
        limits = [*([outcomes.c.route == route] if route else []), *([outcomes.c.at >= since] if since is not None else [])]
        query = select(outcomes).where(exists().where(*wanted), *limits)
        after = 0
        while True:
            with self._transaction() as connection:
                page = connection.execute(query.where(outcomes.c.id > after).order_by(outcomes.c.id).limit(_PAGE)).all()
                found = _labels_of(connection, [row.response_id for row in page])
            for row in page:
                yield Row(*(row._mapping[name] for name in _ROW)), found[row.response_id]
            if not page:
                return
            after = page[-1].id

    def labels(self, route: str, since: float, limit: int) -> tuple[Label, ...]:
        """The latest, in the order in which they became known."""
        query = select(labels).where(labels.c.route == route, labels.c.asked_at >= since).order_by(labels.c.id.desc()).limit(limit)
        with self._transaction() as connection:
            return tuple(map(_label, reversed(connection.execute(query).all())))

    def confidences(self, route: str, since: float, limit: int, *, latest: bool) -> tuple[tuple[float, str], ...]:
        """Confidence and family, whether labelled or not."""
        chosen = (outcomes.c.route == route, outcomes.c.at >= since, outcomes.c.confidence.is_not(None))
        order = (outcomes.c.at.desc(), outcomes.c.id.desc()) if latest else (outcomes.c.at, outcomes.c.id)  # as the index has them
        query = select(outcomes.c.confidence, outcomes.c.family).where(*chosen).order_by(*order).limit(limit)
        with self._transaction() as connection:
            return tuple((row.confidence, row.family) for row in connection.execute(query))

    def lease(self, name: str, holder: str, seconds: float, now: float) -> bool:
        """On PostgreSQL the database's own clock rules, for replicas' clocks differ.

        An end that lies too far ahead was set by a clock that jumped.
        """
        with self._transaction() as connection:
            now = _now(connection, now)
            over = or_(leases.c.until < now, leases.c.until > now + 2 * seconds)
            mine = and_(leases.c.name == name, or_(leases.c.holder == holder, over))
            taken = connection.execute(update(leases).where(mine).values(holder=holder, until=now + seconds)).rowcount
            first = _insert(connection, leases).values(name=name, holder=holder, until=now + seconds).on_conflict_do_nothing()
            return bool(taken) or _wrote(connection, first, leases)

    def floors(self) -> tuple[Floor, ...]:
        """All of them."""
        with self._transaction() as connection:
            return tuple(Floor(*(row._mapping[name] for name in _FLOOR)) for row in connection.execute(select(floors)))

    def begin(self, floor: Floor) -> None:
        """The first who says it is right."""
        with self._transaction() as connection:
            connection.execute(_insert(connection, floors).values(asdict(floor)).on_conflict_do_nothing())

    def tighten(self, floor: Floor) -> bool:
        """Upwards only, whoever writes last."""
        with self._transaction() as connection:
            upsert = _insert(connection, floors).values(asdict(floor))
            higher = {"floor": floor.floor, "since": floor.since, "reason": floor.reason}
            query = upsert.on_conflict_do_update(index_elements=["route", "fingerprint"], set_=higher, where=floors.c.floor < floor.floor)
            return _wrote(connection, query, floors)

    def adopt(self, refitted: Refitted) -> None:
        """The last one who says it is right."""
        with self._transaction() as connection:
            upsert = _insert(connection, calibrations).values(asdict(refitted))
            newer = {"fingerprint": refitted.fingerprint, "at": refitted.at, "body": refitted.body}
            connection.execute(upsert.on_conflict_do_update(index_elements=["route", "base"], set_=newer))

    def adopted(self, route: str, base: str) -> Refitted | None:
        """At most one."""
        query = select(calibrations).where(calibrations.c.route == route, calibrations.c.base == base)
        with self._transaction() as connection:
            row = connection.execute(query).first()
        return None if row is None else Refitted(*(row._mapping[name] for name in _REFITTED))

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with _reaching():
                self._prepare()
                with self._engine.begin() as connection:
                    yield connection
        except StoreLost:
            self._ready = False  # what comes back may be another database
            raise

    def _prepare(self) -> None:
        with self._preparing:
            if not self._ready:
                with self._engine.connect() as connection:
                    migrate(connection)
                    connection.commit()
                self._ready = True


@contextmanager
def _reaching() -> Iterator[None]:
    """SQLAlchemy's and the system's errors as the port's."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise Unfit(str(error.orig)) from error
    except DBAPIError as error:
        raise StoreLost(str(error.orig)) from error
    except (SQLAlchemyError, OSError) as error:
        raise StoreLost(str(error)) from error


def _add(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Some statements of many rows: each statement gives the interpreter away twice, which beside busy requests it gets back only later."""
    left = list(rows)
    while left:
        count = min(_AT_ONCE, 1 << (len(left).bit_length() - 1))  # few different sizes, whose statements the driver remembers
        connection.exec_driver_sql(_adding(connection.dialect.name, count), tuple(chain.from_iterable(left[:count])))
        del left[:count]


@cache
def _adding(dialect: str, count: int) -> str:
    """The statement for so many rows."""
    row = ", ".join(["%s" if dialect == "postgresql" else "?"] * len(_ROW))
    return f"INSERT INTO {outcomes.name} ({', '.join(_ROW)}) VALUES {', '.join([f'({row})'] * count)} ON CONFLICT DO NOTHING"  # noqa: S608


def _insert(connection: Connection, table: Table) -> Any:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _wrote(connection: Connection, upsert: Any, table: Table) -> bool:
    """Whether the row was written; drivers do not agree on the row count of an upsert that did nothing."""
    return connection.execute(upsert.returning(next(iter(table.c)))).first() is not None


def _now(connection: Connection, ours: float) -> float:
    if connection.dialect.name != "postgresql":
        return ours
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def _resolved(connection: Connection, feedback: Feedback) -> Label | None:
    """The label of the tier that answered; `None` where the response is unknown or nothing was answered."""
    row = connection.execute(select(outcomes).where(outcomes.c.response_id == feedback.response_id)).first()
    if row is None or row.tier is None or (feedback.owner is not None and row.owner not in ("", feedback.owner)):
        return None
    body = json.loads(row.body)
    confidence = next((one["confidence"] for one in reversed(body["attempts"]) if one["tier"] == row.tier), None)
    kept = row.tier != body["permitted"][-1]
    return Label(
        feedback.response_id, row.tier, "feedback", feedback.correct, 1.0, row.route, row.family, confidence, kept, row.at, feedback.at,
        detail=feedback.detail,
    )  # fmt: skip


def _store(connection: Connection, label: Label) -> bool:
    """Write a label; returns whether it says something new. One that says otherwise than before takes a new place in the order."""
    same = and_(labels.c.response_id == label.response_id, labels.c.tier == label.tier, labels.c.source == label.source)
    known = connection.execute(select(labels.c.correct).where(same)).scalar()
    if known is not None and known == label.correct:
        return False
    connection.execute(delete(labels).where(same))
    return _wrote(connection, _insert(connection, labels).values(asdict(label)).on_conflict_do_nothing(), labels)


def _labels_of(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[Label, ...]]:
    found: dict[str, tuple[Label, ...]] = dict.fromkeys(ids, ())
    for row in connection.execute(select(labels).where(labels.c.response_id.in_(ids)).order_by(labels.c.id)):
        found[row.response_id] += (_label(row),)
    return found


def _label(row: Any) -> Label:
    return Label(*(row._mapping[name] for name in _LABEL))
