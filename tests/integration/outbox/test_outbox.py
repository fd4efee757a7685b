"""The SQL statements of the outbox: what they return, which rows they read, and which locks they need."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.event import listens_for

from cluster.local.mariadb import MariaDbServer
from domain.outbox import count_waiting, oldest_events, outbox, remove_events
from domain.unit_of_work import Store
from tests.servers import migrated_database
from tests.world import START

PAYLOAD = '{"event_id":"' + "x" * 350 + '"}'
PATIENCE_S = 60.0


def write(connection: Connection, events: int) -> None:
    row = {"topic": "gym-events", "key": "gym", "payload": PAYLOAD, "created_at": START}
    connection.execute(insert(outbox), [row] * events)


def fill(store: Store, events: int) -> None:
    with store.writing() as connection:
        write(connection, events)


def numbers(connection: Connection, at_most: int = 500) -> list[int]:
    return [event.id for event in oldest_events(connection, at_most)]


@pytest.fixture
def on_mariadb(mariadb: MariaDbServer) -> Iterator[Store]:
    url = migrated_database(mariadb)
    store = Store(url, statement_timeout_s=2)
    yield store
    store.close()


@pytest.fixture
def relay(on_mariadb: Store) -> Iterator[Connection]:
    """A connection in autocommit mode, like the relay's short transactions."""
    with on_mariadb.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def test_the_oldest_events_come_first_and_only_named_events_are_removed(store: Store) -> None:
    fill(store, 7)
    with store.writing() as connection:
        first = numbers(connection)
        assert first == sorted(first)
        assert numbers(connection, 3) == first[:3]
        remove_events(connection, [first[0], first[2], first[6], 10**12])
        remove_events(connection, [])
        assert numbers(connection) == [first[1], *first[3:6]]


def test_waiting_events_are_counted_up_to_the_limit_with_the_time_of_the_oldest(store: Store) -> None:
    with store.reading() as connection:
        assert count_waiting(connection, 10) == (0, None)
    fill(store, 7)
    with store.reading() as connection:
        assert count_waiting(connection, 10) == (7, START)
        assert count_waiting(connection, 5) == (5, START)


@pytest.mark.parametrize("events", [1, 3, 100, 20_000])
def test_mariadb_reads_the_oldest_by_key_and_accesses_only_the_removed_rows(
    events: int, on_mariadb: Store, relay: Connection
) -> None:
    fill(on_mariadb, events)
    asked: list[tuple[str, Any]] = []

    @listens_for(relay, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        asked.append((statement, parameters))

    remove_events(relay, numbers(relay))
    read, remove = asked
    fill(on_mariadb, events)
    assert plan(relay, *read)["outbox"] == ("index", "PRIMARY")
    assert plan(relay, *remove)["o"] == ("eq_ref", "PRIMARY")


def plan(connection: Connection, statement: str, parameters: Any) -> dict[str, tuple[str, str]]:  # noqa: ANN401
    """The access type and the key of each table in the plan of a statement."""
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).mappings()
    return {row["table"]: (row["type"], row["key"]) for row in rows}


@pytest.mark.parametrize("batch", [1, 3, 100, 500])
def test_mariadb_touches_the_rows_of_a_batch_and_no_others(batch: int, on_mariadb: Store, relay: Connection) -> None:
    fill(on_mariadb, 5_000)
    before = rows_read(relay)
    found = numbers(relay, batch)
    after_reading = rows_read(relay)
    assert after_reading - before <= batch
    remove_events(relay, found)
    assert rows_read(relay) - after_reading <= 2 * batch
    assert count_waiting(relay, 10_000).events == 5_000 - batch


def rows_read(connection: Connection) -> int:
    """Rows that this session has read, by key or by scan. `_rnd_next` counts the rows of the JSON table."""
    names = ("Handler_read_first", "Handler_read_next", "Handler_read_key", "Handler_read_rnd")
    rows = connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
    return sum(int(row[1]) for row in rows if row[0] in names)


def test_mariadb_does_not_scan_removed_rows(on_mariadb: Store, relay: Connection) -> None:
    """Removed rows are only marked at first. The server purges them later."""
    for _ in range(20):
        fill(on_mariadb, 1_000)
        for _ in range(2):
            remove_events(relay, numbers(relay))
    give_up_at = time.monotonic() + PATIENCE_S
    while pages_of_a_look(relay) > 30:  # 20,000 rows lie on about 600
        assert time.monotonic() < give_up_at, "an empty outbox is dear to look at"
        time.sleep(0.2)


def pages_of_a_look(connection: Connection) -> int:
    def requests() -> int:
        status = connection.execute(text("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_read_requests'")).one()
        return int(status[1])

    before = requests()
    assert numbers(connection) == []
    return requests() - before


@pytest.mark.parametrize("batch", [1, 3, 100, 500])
def test_removing_waits_for_no_uncommitted_transaction(batch: int, on_mariadb: Store, relay: Connection) -> None:
    """Its rows are before, between and after the removed ones, and it may be open for seconds."""
    with on_mariadb.engine.connect() as early, on_mariadb.engine.connect() as late:
        write(early, 1)
        fill(on_mariadb, batch)
        write(late, 1)
        fill(on_mariadb, batch)
        committed = numbers(relay, 2 * batch)
        assert len(committed) == 2 * batch
        remove_events(relay, committed)  # it would raise after two seconds
        assert numbers(relay) == []
        early.commit()
        late.commit()
        left = numbers(relay)
        assert len(left) == 2
        assert left[0] < committed[0] < left[1]
