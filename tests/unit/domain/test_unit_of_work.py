"""Which errors of a database mean that it cannot be had for now."""

from pathlib import Path

import pymysql
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from domain.unit_of_work import Store, is_unavailable, should_retry


def error(number: int) -> DBAPIError:
    return OperationalError("SELECT 1", {}, pymysql.err.OperationalError(number, "said by the server"))


@pytest.mark.parametrize("number", [2003, 2006, 2013, 1040, 1053, 1045, 1129, 1203, 1206, 1226, 1317, 1969, 3024])
def test_a_server_that_cannot_be_reached_is_unavailable(number: int) -> None:
    assert is_unavailable(error(number))
    assert not should_retry(error(number))


@pytest.mark.parametrize("number", [1021, 1037, 1041, 1114])
def test_a_server_without_free_disk_or_memory_is_unavailable(number: int) -> None:
    assert is_unavailable(error(number))


def test_a_file_on_a_full_disk_is_unavailable(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}", pool_size=1)
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE kept (value BLOB)"))
    with pytest.raises(OperationalError) as full:
        _outgrow(store)
    assert is_unavailable(full.value)
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM kept")).scalar_one() == 0
    store.close()


def _outgrow(store: Store) -> None:
    with store.writing() as connection:
        # SQLite takes a figure below the present size for that size: not one page more.
        connection.execute(text("PRAGMA max_page_count=1"))
        connection.execute(text("INSERT INTO kept VALUES (1)"))
        connection.execute(text("INSERT INTO kept VALUES (zeroblob(100000))"))


@pytest.mark.parametrize("number", [1062, 1205, 1213])
def test_a_lost_race_is_decided_again(number: int) -> None:
    assert should_retry(error(number))
    assert not is_unavailable(error(number))


@pytest.mark.parametrize("number", [1064, 1146, 1406, 1452])
def test_what_the_statement_itself_did_wrong_is_neither(number: int) -> None:
    assert not is_unavailable(error(number))
    assert not should_retry(error(number))
