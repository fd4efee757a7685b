"""On a server, a restore builds the indexes after the rows, and they equal those of the migrations."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, inspect, select

from cluster.backup import load_rows
from cluster.errors import CommandError
from domain.identity.tables import users
from domain.tables import metadata
from domain.unit_of_work import Store
from tests.servers import migrate
from tests.unit.cluster.backup.filled_folder import (
    MOMENT,
    checksums,
    empty_settings,
    fill_store,
    restored,
    settings_in,
    taken,
)

pytestmark = pytest.mark.check


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_rows, "_LARGE_TABLE", 1)


def indexes_of(url: str) -> dict[str, list[tuple[str, tuple[str | None, ...], bool]]]:
    store = Store(url, pool_size=1)
    with store.reading() as connection:
        looked = inspect(connection)
        found = {
            table: sorted(
                (str(index["name"]), tuple(index["column_names"]), bool(index["unique"]))
                for index in looked.get_indexes(table)
            )
            for table in metadata.tables
        }
    store.close()
    return found


def test_a_restored_server_has_the_rows_and_the_indexes_of_a_new_one(
    new_store: Callable[[str], str], tmp_path: Path
) -> None:
    url, target = new_store("mariadb"), new_store("mariadb")
    fill_store(url)
    manifest = taken(settings_in(tmp_path / "first", url), tmp_path / "file")
    second = empty_settings(tmp_path / "second", target)
    restored(second, tmp_path / "file")
    assert indexes_of(target) == indexes_of(url)
    assert sum(len(each) for each in indexes_of(url).values()) > 50
    assert checksums(taken(second, tmp_path / "again")) == checksums(manifest)


def test_rows_that_an_index_refuses_leave_a_mark_and_the_next_restore_starts_over(
    new_store: Callable[[str], str], tmp_path: Path
) -> None:
    url, target = new_store("sqlite"), new_store("mariadb")
    migrate(url)
    store = Store(url, pool_size=1)
    # Two for SQLite, and one for MariaDB, which pads with spaces before it compares.
    emails = ("mia@example.org", "mia@example.org ")
    people = [{"id": uuid4(), "email": email, "name": "Mia", "created_at": MOMENT} for email in emails]
    with store.writing() as connection:
        connection.execute(insert(users), people)
    taken(settings_in(tmp_path / "first", url), tmp_path / "file")
    second = empty_settings(tmp_path / "second", target)
    with pytest.raises(CommandError, match=r"rows of users do not fit this database \(.*Duplicate"):
        restored(second, tmp_path / "file")
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM users WHERE name = 'Mia'")
    store.close()
    taken(settings_in(tmp_path / "first", url), tmp_path / "mended")
    restored(second, tmp_path / "mended", yes=True)
    restored_store = Store(target, pool_size=1)
    with restored_store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(users)).scalar_one() == 0
        assert not inspect(connection).has_table("restore_under_way")
    restored_store.close()
