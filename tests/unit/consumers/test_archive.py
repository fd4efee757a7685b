"""The archive's consumer on a folder and a database file."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import select, update

from domain.attendance.facts import FactTable
from domain.attendance.tables import archive_sources, member_keys
from domain.door.events import VisitInferred
from domain.door.model import Inferred
from domain.errors import UnavailableError
from domain.identity.tables import users
from domain.ids import new_id
from integrations.archive.delta_table import ArchiveUnavailableError, DeltaStore
from integrations.settings import ArchiveSettings
from tests.unit.consumers.archive_parts import GYM, NOON, ArchiveBench, entered, left, messages, refused

VISITS, SCANS = FactTable.VISITS, FactTable.SCANS
HOUR = timedelta(hours=1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ArchiveBench]:
    bench = ArchiveBench(tmp_path)
    yield bench
    bench.store.close()


def test_each_fact_stands_once_with_its_last_state(bench: ArchiveBench) -> None:
    mia = bench.member()
    entry = entered(mia)
    handler = bench.handler()
    handler.handle(messages(entry, refused()))
    handler.handle(messages(left(entry, NOON + HOUR), first=2))
    (visit,) = bench.rows(VISITS)
    assert (visit["visit_id"], visit["entered_at"], visit["left_at"]) == (str(entry.visit_id), NOON, NOON + HOUR)
    assert [row["outcome"] for row in bench.rows(SCANS)] == ["entered", "refused", "left"]
    assert handler.stats.rows == {VISITS: 2, SCANS: 3, FactTable.MACHINE_USES: 0, FactTable.HEAD_COUNTS: 0}
    with bench.store.reading() as connection:
        (key,) = connection.execute(select(member_keys)).all()
    assert (key.member_id, key.member_key) == (mia, visit["member_key"])
    assert 0 <= key.member_key < 2**63


def test_messages_that_come_again_are_dropped(bench: ArchiveBench) -> None:
    batch = messages(entered(bench.member()), refused(), refused())
    bench.handler().handle(batch[:2])
    other = bench.handler()
    other.handle(batch)
    assert len(bench.versions(SCANS)) == 3
    assert other.stats.repeated == 2 + 1


def test_an_event_that_the_outbox_publishes_again_changes_nothing(bench: ArchiveBench) -> None:
    entry = entered(bench.member())
    end = left(entry, NOON + HOUR)
    bench.handler().handle(messages(entry, end, entry, end, entry))
    assert len(bench.versions(VISITS)) == 5
    (visit,) = bench.rows(VISITS)
    assert visit["left_at"] == NOON + HOUR
    assert len(bench.rows(SCANS)) == 2


def test_a_crash_between_two_tables_is_repaired_by_the_replay(bench: ArchiveBench) -> None:
    class CrashingStore(DeltaStore):
        def append(self, table: FactTable, rows: pl.DataFrame, transactions: Mapping[str, int]) -> None:
            if table is SCANS:
                raise RuntimeError("crash")
            super().append(table, rows, transactions)

    batch = messages(entered(bench.member()), refused())
    with pytest.raises(RuntimeError):
        bench.handler(CrashingStore(bench.settings)).handle(batch)
    assert (len(bench.versions(VISITS)), len(bench.versions(SCANS))) == (1, 0)
    bench.handler().handle(batch)
    assert (len(bench.versions(VISITS)), len(bench.versions(SCANS))) == (1, 2)


def test_of_two_owners_of_a_partition_one_commits(bench: ArchiveBench) -> None:
    batch = messages(entered(bench.member()), refused())

    class SlowStore(DeltaStore):
        """Another owner commits the same messages after this one has read the table."""

        overtaken = False

        def append(self, table: FactTable, rows: pl.DataFrame, transactions: Mapping[str, int]) -> None:
            if not self.overtaken:
                self.overtaken = True
                bench.handler().handle(batch)
            super().append(table, rows, transactions)

    slow = bench.handler(SlowStore(bench.settings))
    slow.handle(batch)
    assert (len(bench.versions(VISITS)), len(bench.versions(SCANS))) == (1, 2)
    assert (slow.stats.conflicts, slow.stats.commits) == (1, 0)


def test_a_topic_that_is_made_anew_is_another_source(bench: ArchiveBench) -> None:
    entry = entered(bench.member())
    handler = bench.handler()
    handler.handle(messages(entry, refused(), first=5))
    bench.incarnation = "two"
    handler.handle(messages(left(entry, NOON + HOUR)))
    assert {(row["source"], row["offset"]) for row in bench.versions(VISITS)} == {(1, 5), (2, 0)}
    assert bench.rows(VISITS)[0]["left_at"] == NOON + HOUR
    with bench.store.reading() as connection:
        assert connection.execute(select(archive_sources.c.number)).scalars().all() == [1, 2]


def test_a_topic_that_is_made_anew_within_a_batch_is_another_source(bench: ArchiveBench) -> None:
    entry = entered(bench.member())
    handler = bench.handler()
    before = messages(entry, first=5)
    handler.handle(messages(refused(), first=4))
    bench.incarnation = "two"
    handler.handle([*before, *messages(left(entry, NOON + HOUR))])
    assert bench.rows(VISITS)[0]["left_at"] == NOON + HOUR


def test_a_deleted_account_gets_no_key(bench: ArchiveBench) -> None:
    mia, deleted = bench.member(), bench.member()
    with bench.store.writing() as connection:
        connection.execute(update(users).where(users.c.id == deleted).values(deleted_at=NOON))
    bench.handler().handle(messages(entered(mia), entered(deleted), entered(new_id())))
    keys = [row["member_key"] for row in bench.rows(VISITS)]
    assert [key is None for key in keys] == [False, True, True]


def test_an_event_that_lacks_what_a_row_needs_is_counted_and_left_out(bench: ArchiveBench) -> None:
    handler = bench.handler()
    handler.handle(messages(VisitInferred(new_id(), GYM, new_id(), None, Inferred.FORGOTTEN, NOON), refused()))
    assert handler.stats.incomplete == 1
    assert (bench.versions(VISITS), len(bench.versions(SCANS))) == ([], 1)


def test_storage_that_is_unavailable_is_waited_for(tmp_path: Path, bench: ArchiveBench) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    nowhere = DeltaStore(ArchiveSettings(url=str(tmp_path / "file" / "archive")))
    s3 = ArchiveSettings(url="s3://bucket/archive", endpoint_url="http://127.0.0.1:9", access_key_id="a", region="r")
    for archive in (nowhere, DeltaStore(s3)):
        with pytest.raises(ArchiveUnavailableError) as caught:
            bench.handler(archive).handle(messages(refused()))
        assert isinstance(caught.value, UnavailableError)


def test_facts_are_kept_by_the_day_on_which_they_began(bench: ArchiveBench) -> None:
    entry = entered(bench.member(), NOON + timedelta(hours=11))
    bench.handler().handle(messages(entry, left(entry, NOON + timedelta(hours=13))))
    assert len(bench.rows(VISITS)) == 1
    tomorrow = NOON.date() + timedelta(days=1)
    assert bench.rows(VISITS, tomorrow) == []
    assert [row["outcome"] for row in bench.rows(SCANS, tomorrow)] == ["left"]
