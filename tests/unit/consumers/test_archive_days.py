"""Verification, compaction and backfill of the archive's days, against what the door's tables hold."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, cast
from uuid import UUID

import polars as pl
import pytest
from sqlalchemy import insert, select, update

from consumers.archive_job import ArchiveJob
from domain.attendance.facts import FactTable
from domain.attendance.tables import archive_days, member_keys
from domain.door.events import ScanDecided
from domain.door.tables import scans, visits
from domain.identity.personal_data_service import begin_deleting
from domain.ids import first_id_of
from integrations.archive.backfill import Backfill
from integrations.archive.delta_table import DeltaStore
from integrations.archive.rows import values_of
from integrations.archive.verification import DayResult, Verification
from integrations.lease import Lease
from tests.unit.consumers.archive_parts import NOON, ArchiveBench, entered, left, messages, refused
from tests.unit.consumers.leases import FakeLease

VISITS, SCANS = FactTable.VISITS, FactTable.SCANS
DAY = NOON.date()
HOUR = timedelta(hours=1)
TOMORROW = NOON + timedelta(days=1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ArchiveBench]:
    bench = ArchiveBench(tmp_path)
    yield bench
    bench.store.close()


def id_at(moment: datetime, number: int) -> UUID:
    return UUID(int=first_id_of(moment).int + number)


def add_visit(bench: ArchiveBench, event: ScanDecided, left_at: datetime | None = None) -> None:
    """What the door's tables have of an entry."""
    row: dict[str, Any] = {"gym_id": event.gym_id, "member_id": event.member_id, "entered_at": event.entered_at}
    assert event.visit_id is not None
    with bench.store.writing() as connection:
        connection.execute(insert(visits).values(id=event.visit_id, left_at=left_at, **row))
    add_scan(bench, event)


def add_scan(bench: ArchiveBench, event: ScanDecided) -> None:
    values: dict[str, Any] = {
        "id": event.event_id,
        "scan_id": str(event.event_id),
        "asked_by": event.gym_id,
        "gym_id": event.gym_id,
        "gate_id": event.gate_id,
        "member_id": event.member_id,
        "scanned_at": event.scanned_at,
        "arrived_at": event.arrived_at,
        "decided_at": event.decided_at,
        "outcome": event.outcome.value,
        "occupancy": 1,
        "capacity": 9,
        "visit_id": event.visit_id,
    }
    with bench.store.writing() as connection:
        connection.execute(insert(scans).values(values))


def entry_at(bench: ArchiveBench, at: datetime, number: int = 0, known_at: datetime | None = None) -> ScanDecided:
    """An entry of a new member whose rows have ids of its own time."""
    made = entered(bench.member(), at, id_at(known_at or at, 2 * number))
    values = {name: getattr(made, name) for name in ScanDecided.__slots__}
    return ScanDecided(**values | {"event_id": id_at(known_at or at, 2 * number + 1)})


def values(bench: ArchiveBench) -> list[dict[str, Any]]:
    """The visits that stand, without where they come from."""
    rows = sorted(bench.rows(VISITS), key=lambda row: str(row["visit_id"]))
    return [{name: row[name] for name in values_of(VISITS)} for row in rows]


def verified(bench: ArchiveBench, *, rewrite: bool = True) -> dict[FactTable, DayResult]:
    verification = Verification(bench.store, DeltaStore(bench.settings))
    return {table: verification.verify(table, DAY, rewrite=rewrite) for table in (VISITS, SCANS)}


def test_a_day_that_agrees_is_compacted_to_one_file_with_one_row_per_fact(bench: ArchiveBench) -> None:
    entry, other = entry_at(bench, NOON), entry_at(bench, NOON, 1)
    for each, left_at in ((entry, NOON + HOUR), (other, None)):
        add_visit(bench, each, left_at)
    handler = bench.handler()
    handler.handle(messages(entry, other))
    end = left(entry, NOON + HOUR)  # its id is of the present, as if it were uploaded late
    handler.handle(messages(end, first=2))
    add_scan(bench, end)
    before = values(bench)
    results = verified(bench)
    assert all(result.agrees and result.compacted for result in results.values())
    assert len(bench.versions(VISITS)) == 2
    assert values(bench) == before
    archive = DeltaStore(bench.settings)
    archive.refresh(VISITS)
    assert len(archive.files(VISITS)[DAY]) == 1
    assert not any(result.compacted for result in verified(bench).values())


def test_a_day_that_differs_is_rewritten_from_the_database(bench: ArchiveBench) -> None:
    known, unknown, wrong = (entry_at(bench, NOON, number) for number in range(3))
    add_visit(bench, known, NOON + HOUR)
    add_visit(bench, unknown)
    bench.handler().handle(messages(known, wrong))
    assert verified(bench, rewrite=False)[VISITS] == DayResult(VISITS, DAY, 2, missing=1, surplus=1, different=1)
    assert verified(bench)[VISITS].rewritten
    assert verified(bench)[VISITS] == DayResult(VISITS, DAY, 2)
    rows = {row["visit_id"]: row for row in bench.rows(VISITS)}
    assert rows.keys() == {str(known.visit_id), str(unknown.visit_id)}
    assert rows[str(known.visit_id)]["left_at"] == NOON + HOUR
    assert {row["source"] for row in rows.values()} == {0}


def test_an_event_that_arrives_after_a_rewrite_wins_over_it(bench: ArchiveBench) -> None:
    entry = entry_at(bench, NOON)
    add_visit(bench, entry)
    assert verified(bench)[VISITS].rewritten
    bench.handler().handle(messages(entry, left(entry, NOON + HOUR)))
    assert bench.rows(VISITS)[0]["left_at"] == NOON + HOUR


def test_an_event_that_is_archived_during_a_rewrite_is_kept(bench: ArchiveBench) -> None:
    first, late = entry_at(bench, NOON), entry_at(bench, NOON + HOUR, 1)
    add_visit(bench, first)

    class SlowStore(DeltaStore):
        overtaken = False

        def replace_day(self, table: FactTable, day: Any, rows: pl.DataFrame) -> None:  # noqa: ANN401
            if not self.overtaken:
                self.overtaken = True
                add_visit(bench, late)
                bench.handler().handle(messages(late))
            super().replace_day(table, day, rows)

    result = Verification(bench.store, SlowStore(bench.settings)).verify(VISITS, DAY)
    assert (result.rewritten, result.facts) == (True, 2)
    assert {row["visit_id"] for row in bench.rows(VISITS)} == {str(first.visit_id), str(late.visit_id)}


def test_a_fact_that_the_database_learned_days_later_is_no_surplus(bench: ArchiveBench) -> None:
    late = entry_at(bench, NOON, known_at=NOON + timedelta(days=9))
    add_visit(bench, late)
    bench.handler().handle(messages(late))
    assert verified(bench)[VISITS] == DayResult(VISITS, DAY, 1, compacted=True)
    assert verified(bench)[VISITS] == DayResult(VISITS, DAY, 1)
    days = Verification(bench.store, DeltaStore(bench.settings)).late_days((NOON + timedelta(days=9)).date())
    assert days == [(VISITS, DAY), (SCANS, DAY)]


def test_a_key_of_a_deleted_account_is_no_difference(bench: ArchiveBench) -> None:
    entry = entry_at(bench, NOON)
    add_visit(bench, entry, NOON + HOUR)
    bench.handler().handle(messages(entry, left(entry, NOON + HOUR))[:1])
    assert entry.member_id is not None
    assert verified(bench)[VISITS].rewritten
    with bench.store.writing() as connection:
        begin_deleting(connection, entry.member_id, entry.member_id, NOON)
        assert connection.execute(select(member_keys)).all() == []
        connection.execute(update(visits).values(member_id=None))
    assert bench.rows(VISITS)[0]["member_key"] is not None
    assert verified(bench)[VISITS].agrees


def test_the_backfill_writes_each_day_once_and_continues_where_it_stopped(bench: ArchiveBench) -> None:
    entries = [entry_at(bench, NOON + timedelta(days=number), number) for number in range(4)]
    for entry in entries:
        add_visit(bench, entry, (entry.entered_at or NOON) + HOUR)
    bench.handler().handle(messages(entries[3], left(entries[3], TOMORROW + timedelta(days=2, hours=1))))
    last = DAY + timedelta(days=3)

    class BrokenStore(DeltaStore):
        commits = 0

        def append(self, table: FactTable, rows: pl.DataFrame, transactions: Any) -> None:  # noqa: ANN401
            self.commits += 1
            if self.commits > 2:
                raise OSError("no space")
            super().append(table, rows, transactions)

    with pytest.raises(OSError, match="no space"):
        Backfill(bench.store, BrokenStore(bench.settings)).run(VISITS, DAY, last, lambda *_: None)
    backfill = Backfill(bench.store, DeltaStore(bench.settings))
    assert backfill.first_day() == DAY
    assert backfill.count(VISITS, DAY, last) == 4
    done = backfill.done_until(VISITS)
    assert done == DAY + timedelta(days=1)
    assert backfill.run(VISITS, done + timedelta(days=1), last, lambda *_: None) == 2
    backfill.run(VISITS, DAY, last, lambda *_: None)
    rows = bench.rows(VISITS, days=4)
    assert [row["visit_id"] for row in rows] == [str(entry.visit_id) for entry in entries]
    assert [row["source"] for row in rows] == [0, 0, 0, 1], "what Kafka brought counts"
    assert all(row["left_at"] is not None for row in rows)


def run_job(bench: ArchiveBench, now: datetime, **settings: int) -> ArchiveJob:
    lease = FakeLease(bench.store)
    job = ArchiveJob(cast("Lease", lease), bench.settings.model_copy(update=settings), lambda: now, stopping=Event())
    lease.try_acquire()
    job.run_once()
    return job


def test_the_job_verifies_a_closed_day_until_it_agrees_and_then_leaves_it_alone(bench: ArchiveBench) -> None:
    entry = entry_at(bench, NOON)
    add_visit(bench, entry)
    bench.handler().handle(messages(entry, refused()))
    assert run_job(bench, NOON + HOUR).rewritten == 0, "the day is not over"
    assert run_job(bench, TOMORROW).rewritten == 1, "the database has no refused scan"
    assert run_job(bench, TOMORROW).rewritten == 0
    with bench.store.reading() as connection:
        assert {row.day for row in connection.execute(select(archive_days))} == {DAY.isoformat()}
    assert Verification(bench.store, DeltaStore(bench.settings)).changed_days(TOMORROW.date()) == []
    bench.handler().handle(messages(left(entry, NOON + HOUR), first=2))
    assert Verification(bench.store, DeltaStore(bench.settings)).changed_days(TOMORROW.date()) == [
        (SCANS, DAY),
        (VISITS, DAY),
    ]


def test_the_job_compacts_a_day_that_is_not_over_and_a_reader_goes_on(bench: ArchiveBench) -> None:
    handler = bench.handler()
    for number in range(4):
        handler.handle(messages(entered(None), first=number))
    archive = DeltaStore(bench.settings)
    reader = archive.scan(VISITS)
    run_job(bench, NOON + HOUR, compact_above_files=2)
    after = DeltaStore(bench.settings)
    after.refresh(VISITS)
    assert len(after.files(VISITS)[DAY]) == 1
    after.vacuum(VISITS)
    assert len(reader.collect()) == 4, "the old files are kept for two days"
    assert len(bench.rows(VISITS)) == 4
    handler.handle(messages(entered(None), first=4))
    assert len(bench.rows(VISITS)) == 5
