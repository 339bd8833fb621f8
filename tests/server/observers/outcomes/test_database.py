import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from router.errors import ConfigError
from server.observers.outcomes.address import engine
from server.observers.outcomes.database import Database
from server.observers.outcomes.encoding import Encoder
from server.observers.outcomes.migrations import STEPS, migrate
from server.observers.outcomes.ports import Feedback, Floor, Refitted, Retention, Row, StoreLost, Unfit
from tests.server.observers.outcomes.made import climbed, database, kept_small, label


def row(response_id: str, at: float = 1000.0, confidence: float = 0.9) -> Row:
    return Encoder().row(*kept_small(response_id, confidence), at)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    on_postgresql = request.param == "postgresql"
    made = Database(engine(request.getfixturevalue("emptied"), tmp_path)) if on_postgresql else database(tmp_path)
    yield made
    made.close()


def test_what_was_written_twice_stands_there_once(store: Database) -> None:
    store.write([row("a"), row("b")])
    store.write([row("a"), label("a"), label("b")])
    assert [found.response_id for found, _ in store.labelled()] == ["a", "b"]


def test_only_labelled_outcomes_are_given_back_by_source_and_route(store: Database) -> None:
    store.write([row("a"), row("b"), label("a")])
    assert [(found.response_id, [one.source for one in labels]) for found, labels in store.labelled()] == [("a", ["audit"])]
    assert list(store.labelled("feedback")) == []
    assert list(store.labelled(route="other")) == []


def test_feedback_is_about_the_answer_that_the_client_got(store: Database) -> None:
    store.write([row("a"), Encoder().row(*climbed("b"), 1000.0)])
    written = store.write([Feedback("a", 1.0, 1001.0), Feedback("b", 0.0, 1001.0), Feedback("nobody", 1.0, 1001.0)])
    assert written.unknown == ("nobody",)
    assert [(one.tier, one.correct, one.kept, one.confidence, one.weight) for one in written.labels] == [
        ("small", 1.0, True, 0.9, 1.0),
        ("large", 0.0, False, None, 1.0),
    ]


def test_the_same_label_again_changes_nothing_and_another_replaces_it(store: Database) -> None:
    store.write([row("a")])
    assert len(store.write([Feedback("a", 1.0, 1001.0)]).labels) == 1
    assert store.write([Feedback("a", 1.0, 1002.0)]).labels == ()
    assert len(store.write([Feedback("a", 0.0, 1003.0)]).labels) == 1
    assert [one.correct for one in store.labels("auto", 0.0, 10)] == [0.0]


def test_the_latest_labels_come_in_the_order_in_which_they_became_known(store: Database) -> None:
    store.write([label(str(number), asked_at=float(number)) for number in range(6)])
    assert [one.response_id for one in store.labels("auto", 2.0, 3)] == ["3", "4", "5"]
    assert store.labels("other", 0.0, 3) == ()


def test_confidences_are_read_first_or_latest(store: Database) -> None:
    store.write([row(str(number), at=float(number), confidence=number / 10) for number in range(5)])
    assert [value for value, _ in store.confidences("auto", 1.0, 2, latest=False)] == [0.1, 0.2]
    assert [value for value, _ in store.confidences("auto", 1.0, 2, latest=True)] == [0.4, 0.3]


def test_old_rows_surplus_rows_and_old_text_go(store: Database) -> None:
    day = 86_400.0
    rows = [Encoder(content=True).row(*kept_small(str(number)), number * day) for number in range(5)]
    store.write([*rows, *(label(str(number), at=number * day) for number in range(5))])
    assert store.trim(Retention(days=2.5, rows=None, content_days=1.5), 4 * day) == 2
    assert [(found.response_id, found.content is not None) for found, _ in store.labelled()] == [("2", False), ("3", True), ("4", True)]
    assert store.trim(Retention(days=None, rows=1), 4 * day) == 2
    assert [found.response_id for found, _ in store.labelled()] == ["4"]


def test_a_lease_has_one_holder_until_it_runs_out(store: Database) -> None:
    assert store.lease("w", "one", 100.0, 0.0)
    assert not store.lease("w", "two", 100.0, 1.0)
    assert store.lease("w", "one", -1.0, 2.0)
    assert store.lease("w", "two", 100.0, 3.0)


def test_a_floor_only_rises(store: Database) -> None:
    store.begin(Floor("auto", "f", since=1.0))
    store.begin(Floor("auto", "f", since=2.0))
    assert store.floors() == (Floor("auto", "f", 0.0, 1.0),)
    assert store.tighten(Floor("auto", "f", 0.9, 3.0, "why"))
    assert not store.tighten(Floor("auto", "f", 0.8, 4.0, "lower"))
    assert store.floors() == (Floor("auto", "f", 0.9, 3.0, "why"),)


def test_an_older_database_takes_the_steps_that_it_lacks(store: Database) -> None:
    store.write([row("a"), label("a")])

    def widen(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE outcomes ADD COLUMN more VARCHAR"))

    with store._engine.connect() as connection:
        migrate(connection, (*STEPS, widen))
        connection.commit()
        migrate(connection, (*STEPS, widen))
        connection.commit()
        assert "more" in {column["name"] for column in inspect(connection).get_columns("outcomes")}
    assert [found.response_id for found, _ in store.labelled()] == ["a"]


def test_a_database_of_the_first_release_gets_its_table_of_calibrations_and_its_owners(store: Database) -> None:
    store.write([row("a")])
    with store._engine.connect() as connection:
        connection.execute(text("DROP TABLE calibrations"))
        connection.execute(text("ALTER TABLE outcomes DROP COLUMN owner"))
        connection.execute(text("UPDATE schema_version SET version = 1"))
        connection.commit()
        migrate(connection)
        connection.commit()
    assert store.write([Feedback("a", 1.0, 2.0, owner="payroll")]).labels
    assert store.adopted("auto", "base") is None
    store.adopt(Refitted("auto", "base", "one", 1.0, "{}"))
    store.adopt(Refitted("auto", "base", "two", 2.0, "{}"))
    assert store.adopted("auto", "base") == Refitted("auto", "base", "two", 2.0, "{}")
    assert store.adopted("auto", "other") is None


def test_a_database_of_a_newer_release_is_left_alone(store: Database) -> None:
    with store._engine.connect() as connection:
        migrate(connection, (*STEPS, lambda c: None))
        connection.commit()
    with pytest.raises(StoreLost, match="newer release"):
        store.write([row("a")])


def test_an_entry_that_the_database_refuses_is_no_lost_store(store: Database) -> None:
    with pytest.raises(Unfit):
        store.write([label("a", correct=None)])  # type: ignore[arg-type]


def test_a_locked_file_is_a_lost_store(tmp_path: Path) -> None:
    store = database(tmp_path)
    store.write([row("a")])
    other = sqlite3.connect(tmp_path / "state" / "outcomes.db")
    other.execute("BEGIN EXCLUSIVE")
    store._engine.dispose()
    with pytest.raises(StoreLost, match="locked"):
        store.write([row("b")])
    other.close()
    store.write([row("b")])
    store.close()


def test_an_unreachable_server_is_a_lost_store(tmp_path: Path) -> None:
    store = Database(engine("postgresql://nobody@127.0.0.1:1/none", tmp_path))
    with pytest.raises(StoreLost):
        store.floors()


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_what_no_store_can_be_made_of_is_refused_at_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"outcomes\.url"):
        engine(url, tmp_path)


def test_a_relative_path_starts_at_the_configuration(tmp_path: Path) -> None:
    store = database(tmp_path)
    assert not (tmp_path / "state").exists()
    store.floors()
    assert (tmp_path / "state" / "outcomes.db").is_file()
    store.close()


def test_the_log_of_a_file_is_folded_back_in_small_parts(tmp_path: Path) -> None:
    store = database(tmp_path)
    large = [replace(row(f"{number}"), body="x" * 3000) for number in range(600)]  # a page each
    for start in range(0, len(large), 30):
        store.write(large[start : start + 30])
    assert (tmp_path / "state" / "outcomes.db-wal").stat().st_size < 400 * 4096
    store.close()
