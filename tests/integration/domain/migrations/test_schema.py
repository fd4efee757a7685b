"""The migrations make the tables of `domain/`, and the same on SQLite and MariaDB."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, inspect, select, text

from cluster.local.mariadb import MariaDbServer
from domain.door.tables import scans, visits
from domain.ids import new_id
from domain.migrations.run import MigrationBusyError, at_head, bring_to, upgrade
from domain.tables import metadata
from domain.unit_of_work import Store
from tests.servers import fresh_database
from tests.world import START

LATER = START + timedelta(hours=1)


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'fitmonitor.sqlite3'}"
    upgrade(url)
    store = Store(url)
    yield store
    store.close()


@pytest.fixture
def mariadb_store(mariadb: MariaDbServer) -> Iterator[Store]:
    url = fresh_database(mariadb)
    upgrade(url)
    store = Store(url)
    yield store
    store.close()


def differences(store: Store) -> list[Any]:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[Any] = compare_metadata(context, metadata)
        assert at_head(connection)
    return found


def shape(store: Store) -> dict[str, Any]:
    """Tables with their columns, keys and indexes, by the names that both databases know."""
    inspector = inspect(store.engine)
    found = {}
    for table in inspector.get_table_names():
        uniques = {tuple(unique["column_names"]) for unique in inspector.get_unique_constraints(table)}
        found[table] = {
            "columns": {(column["name"], column["nullable"]) for column in inspector.get_columns(table)},
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign": {
                (tuple(key["constrained_columns"]), key["referred_table"]) for key in inspector.get_foreign_keys(table)
            },
            "unique": uniques,
            # MySQL lists a unique constraint among the indexes and indexes each foreign key.
            "indexes": {tuple(index["column_names"]) for index in inspector.get_indexes(table) if not index["unique"]}
            - {tuple(key["constrained_columns"]) for key in inspector.get_foreign_keys(table)},
        }
    return found


def test_migrated_sqlite_is_what_the_tables_say(sqlite_store: Store) -> None:
    assert differences(sqlite_store) == []


def test_migrated_mariadb_is_what_the_tables_say(mariadb_store: Store) -> None:
    assert differences(mariadb_store) == []


def test_sqlite_and_mariadb_have_the_same_shape(sqlite_store: Store, mariadb_store: Store) -> None:
    assert shape(sqlite_store) == shape(mariadb_store)


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_what_is_kept_of_visits_is_brought_along(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    if kind == "mariadb":
        url = fresh_database(request.getfixturevalue("mariadb"))
    store, member, gym = Store(url), new_id(), new_id()
    counted, backwards, uploaded, scan = (new_id() for _ in range(4))
    with store.engine.connect() as connection:
        bring_to(connection, "0004")
        common = {"gym_id": gym, "member_id": member, "entered_at": START}
        for row in (
            {"id": counted, "left_at": LATER, "inferred": "head_count"},
            {"id": backwards, "left_at": START - (LATER - START), "left_scan": new_id()},
            {"id": uploaded, "left_at": None, "entered_scan": scan},
        ):
            connection.execute(insert(visits).values(**common, **row))
        request_values = {"scan_id": "s", "asked_by": gym, "gym_id": gym, "member_id": member, "outcome": "entered"}
        times = {"arrived_at": START, "decided_at": START, "occupancy": 1, "capacity": 1}
        connection.execute(insert(scans).values(id=scan, **request_values, **times, offline=True))
        connection.commit()
    upgrade(url)
    with store.reading() as connection:
        rows = {row.id: row for row in connection.execute(select(visits))}
        assert connection.execute(select(scans.c.visit_id)).scalar_one() == uploaded
    store.close()
    assert (rows[counted].rule, rows[counted].rule_ended_at, rows[counted].left_at) == ("head_count", LATER, LATER)
    assert (rows[backwards].left_at, rows[backwards].rule) == (START, None)
    assert (rows[uploaded].rule, rows[uploaded].left_at) == (None, None)


def test_a_second_migration_changes_nothing(sqlite_store: Store, mariadb_store: Store) -> None:
    for store in (sqlite_store, mariadb_store):
        before = shape(store)
        upgrade(store.engine.url.render_as_string(hide_password=False))
        assert shape(store) == before


def test_a_migration_that_waits_in_vain_for_another_changes_nothing(mariadb: MariaDbServer) -> None:
    url, other_url = fresh_database(mariadb), fresh_database(mariadb)
    store = Store(url)
    with store.reading() as connection:
        connection.execute(text("SELECT GET_LOCK(CONCAT('fitmonitor-migrations ', SHA1(DATABASE())), 0)"))
        with pytest.raises(MigrationBusyError):
            upgrade(url, wait_s=0)
        assert inspect(connection).get_table_names() == []
        upgrade(other_url, wait_s=0)  # another database on the same server waits for nobody
    store.close()
