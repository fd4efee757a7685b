"""A backup that is taken during scans is of one moment, and does not block the scans."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cluster.backup.manifest import Manifest
from cluster.backup.schema import refuse_half_filled
from cluster.errors import CommandError
from domain.door.model import DoorLimits, ScanAnswer
from domain.door.reconcile import disagreements
from domain.door.service import decide_batch
from domain.door.tables import scans
from domain.unit_of_work import Store
from tests.integration.backup.scanning import Scanning
from tests.servers import migrate
from tests.unit.cluster.backup.filled_folder import (
    checksums,
    empty_settings,
    fill_every_table,
    fill_store,
    restored,
    settings_in,
    taken,
)

KINDS = ("sqlite", "mariadb")
# From SQLite to SQLite: `tests/unit/cluster/backup/test_row_format.py`.
ACROSS = [("sqlite", "mariadb"), ("mariadb", "sqlite")]


def rows(manifest: Manifest, table: str) -> int:
    return next(each.rows for each in manifest.tables if each.name == table)


@pytest.mark.parametrize(("source", "target"), ACROSS)
def test_rows_of_one_moment_are_restored_into_either_kind_of_database(
    source: str, target: str, new_store: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_store(source)
    migrate(url)
    first = settings_in(tmp_path / "first", url)
    with Scanning(url) as scanning:
        scanning.wait_answered(50)
        before = scanning.answered
        # After each table more scans are decided: a backup that held them up would come to no end.
        manifest = taken(first, tmp_path / "file", lambda _part, _number: scanning.wait_answered(5))
        after = scanning.answered
    assert scanning.error is None, scanning.error
    assert before <= rows(manifest, "scans") < after - 10, "scans were decided before, during and after"

    second = empty_settings(tmp_path / "second", new_store(target))
    done = restored(second, tmp_path / "file")
    assert done.disagreements.door == []
    again = taken(second, tmp_path / "again")
    assert checksums(again) == checksums(manifest)
    assert again.store == {"sqlite": "sqlite", "mariadb": "mysql"}[target]


@pytest.mark.parametrize(("source", "target"), [*ACROSS, ("mariadb", "mariadb")])
def test_every_table_is_restored_into_either_kind_of_database(
    source: str, target: str, new_store: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_store(source)
    fill_store(url)
    manifest = taken(settings_in(tmp_path / "first", url), tmp_path / "file")
    second = empty_settings(tmp_path / "second", new_store(target))
    restored(second, tmp_path / "file")
    assert checksums(taken(second, tmp_path / "again")) == checksums(manifest)


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_database_continues_where_it_was(kind: str, new_store: Callable[[str], str], tmp_path: Path) -> None:
    url, target = new_store("sqlite"), new_store(kind)
    migrate(url)
    with Scanning(url) as scanning:
        scanning.wait_answered(50)
    taken(settings_in(tmp_path / "first", url), tmp_path / "file")
    done = restored(empty_settings(tmp_path / "second", target), tmp_path / "file")
    assert len(done.disagreements.ledger) == 40, "memberships without a booking were so before, and are found after"
    assert scanning.last is not None
    request, answer = scanning.last
    store = Store(target, pool_size=1)
    with store.writing() as connection:
        assert connection.execute(select(func.count()).select_from(scans)).scalar_one() == scanning.answered
        assert disagreements(connection) == []
        (again,) = decide_batch(connection, [request], lambda: request.arrived_at, DoorLimits())
    store.close()
    assert isinstance(again, ScanAnswer)
    assert again == replace(answer, replayed=True)


def test_rows_that_do_not_fit_leave_no_stack_on_a_server(new_store: Callable[[str], str], tmp_path: Path) -> None:
    url, target = new_store("sqlite"), new_store("mariadb")
    migrate(url)
    store = Store(url, pool_size=1)
    with store.writing() as connection:
        fill_every_table(connection)
        # SQLite holds nobody to the length of a text.
        connection.exec_driver_sql("UPDATE visits SET inferred = 'a reason that is too long for a code'")
    store.close()
    taken(settings_in(tmp_path / "first", url), tmp_path / "file")
    with pytest.raises(CommandError, match=r"rows of visits do not fit this database \(.*inferred"):
        restored(empty_settings(tmp_path / "second", target), tmp_path / "file")
    with pytest.raises(CommandError, match="a restore was interrupted here"):
        refuse_half_filled(target)
