"""One holder of all, on a database server and beside a file."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from cluster.local.mariadb import MariaDbServer
from domain.unit_of_work import Store
from integrations.store_lock import StoreLock, store_lock
from tests.events import wait_until
from tests.servers import fresh_database

HOLD = """
import sys, time
from domain.unit_of_work import Store
from integrations.store_lock import store_lock
lock = store_lock(Store(sys.argv[1], pool_size=1).engine, "work")
print("held" if lock.ask() else "not held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def locks(store_url: str) -> Iterator[tuple[StoreLock, StoreLock]]:
    """Two who ask for the same lock."""
    first, second = (store_lock(Store(store_url, pool_size=1).engine, "work") for _ in range(2))
    yield first, second
    first.release()
    second.release()


def test_one_holds_it_and_the_other_has_it_once_it_is_let_go(locks: tuple[StoreLock, StoreLock]) -> None:
    first, second = locks
    assert first.ask() is not None
    assert second.ask() is None
    assert second.ask() is None
    first.release()
    wait_until(lambda: second.ask() is not None)
    assert first.ask() is None


def test_who_releases_without_holding_takes_it_from_nobody(locks: tuple[StoreLock, StoreLock]) -> None:
    first, second = locks
    first.ask()
    second.release()
    assert second.ask() is None
    second.release()
    assert second.ask() is None


def test_it_ends_with_a_process_that_is_killed(store_url: str, locks: tuple[StoreLock, StoreLock]) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, store_url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert locks[0].ask() is None
        holder.kill()
    wait_until(lambda: locks[0].ask() is not None)


def test_each_statement_on_its_connection_is_a_transaction(store_url: str, locks: tuple[StoreLock, StoreLock]) -> None:
    connection = locks[0].ask()
    assert connection is not None
    connection.execute(text("INSERT INTO companies (id, name, created_at) VALUES (X'00', 'Company', '2026-01-01')"))
    other = Store(store_url)
    with other.reading() as reading:
        assert reading.execute(text("SELECT COUNT(*) FROM companies")).scalar_one() == 1
    other.close()


def test_different_work_and_different_databases_have_locks_of_their_own(mariadb: MariaDbServer) -> None:
    urls = [fresh_database(mariadb), fresh_database(mariadb)]
    locks = [store_lock(Store(url).engine, name) for url in urls for name in ("work", "other")]
    assert all(lock.ask() is not None for lock in locks)
    for lock in locks:
        lock.release()


def test_a_holder_whose_connection_is_lost_learns_it_by_its_next_statement(mariadb: MariaDbServer) -> None:
    url = fresh_database(mariadb)
    first, second = (store_lock(Store(url, pool_size=1).engine, "work") for _ in range(2))
    connection = first.ask()
    assert connection is not None
    number = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
    with create_engine(url).connect() as other:
        other.execute(text(f"KILL {number}"))
    with pytest.raises(DBAPIError):
        connection.execute(text("SELECT 1"))
    wait_until(lambda: second.ask() is not None)
    first.release()
    assert first.ask() is None, "what it had is not taken up again behind its back"
    first.release()
    second.release()


def test_a_database_in_memory_has_no_lock() -> None:
    with pytest.raises(ValueError, match="memory"):
        store_lock(create_engine("sqlite://"), "work")
