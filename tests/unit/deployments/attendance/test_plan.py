from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.attendance.groups import compute_group
from deployments.attendance.plan import FigureRequest, make_plan
from domain.attendance.model import FigureTable, GymCalendar
from integrations.archive.schema import VISITS
from integrations.archive.snapshot import read_current, table_files
from integrations.figure_store import FigureStore
from tests.unit.domain.attendance.archive_writer import ArchiveWriter, VisitState, computed, moved

_TABLES = frozenset(
    {FigureTable.GYM_HOURS, FigureTable.MEMBER_DAYS, FigureTable.STAYS, FigureTable.MEMBER_PERIODS,
     FigureTable.STAY_PEOPLE}
)  # fmt: skip
_GYMS = (GymCalendar("zurich", "Europe/Zurich", 2), GymCalendar("lord-howe", "Australia/Lord_Howe", 2))
_BEGIN = datetime(2026, 3, 27, tzinfo=UTC)  # Zurich's clock changes on the 29th, and Lord Howe's on 5 April


def _request(writer: ArchiveWriter, folder: Path, as_of: datetime, **changes: object) -> FigureRequest:
    request = FigureRequest(
        writer.url, FigureStore(str(folder)), _TABLES, _GYMS, date(2026, 3, 20), date(2026, 4, 10), as_of
    )
    return replace(request, **changes)  # type: ignore[arg-type]


@st.composite
def _visits(draw: st.DrawFn, now: datetime) -> VisitState:
    minutes = int((now - _BEGIN).total_seconds() // 60)
    entered = _BEGIN + timedelta(minutes=draw(st.integers(0, minutes - 1)))
    longest = int((now - entered).total_seconds() // 60)
    length = draw(st.none() | st.integers(0, min(longest, 60 * 50)))
    return VisitState(
        visit_id=draw(st.uuids()).hex,
        gym_id=draw(st.sampled_from([gym.gym_id for gym in _GYMS])),
        entered_at=entered,
        left_at=None if length is None else entered + timedelta(minutes=length),
        member_key=draw(st.none() | st.integers(1, 4)),
        inferred=draw(st.sampled_from([None, "forgotten"])) if length is not None else None,
    )


def _corrected(draw: st.DrawFn, visit: VisitState, now: datetime) -> list[VisitState]:
    """What may happen to a visit later."""
    kind = draw(st.sampled_from(["annulled", "reopened", "ended", "moved"]))
    if kind == "annulled":
        return [replace(visit, annulled=True)]
    if kind == "reopened":
        return [replace(visit, left_at=None, inferred=None)]
    if kind == "ended":
        longest = int((now - visit.entered_at).total_seconds() // 60)
        return [replace(visit, left_at=visit.entered_at + timedelta(minutes=draw(st.integers(0, longest))))]
    earlier = timedelta(minutes=-draw(st.integers(1, 300)))
    return moved(visit, earlier)


@given(data=st.data())
@settings(max_examples=6)
def test_an_increment_gives_the_same_as_computing_everything(data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        writer = ArchiveWriter(folder / "archive")
        standing: dict[str, VisitState] = {}
        now = _BEGIN + timedelta(days=2)
        for _step in range(3):
            now += timedelta(hours=data.draw(st.sampled_from([1, 20, 100])))
            versions = data.draw(st.lists(_visits(now), min_size=1, max_size=5))
            for visit_id in data.draw(
                st.lists(st.sampled_from(sorted(standing)), max_size=2, unique=True) if standing else st.just([])
            ):
                versions += data.draw(st.composite(_corrected)(standing[visit_id], now))
            writer.append(versions)
            standing |= {visit.visit_id: visit for visit in versions}
            _, incremental = computed(_request(writer, folder / "incremental", now))
        _, everything = computed(_request(writer, folder / "everything", now))

        assert incremental.keys() == everything.keys()
        for table, expected in everything.items():
            assert incremental[table].equals(expected), table
        counted = sum(not visit.annulled for visit in standing.values())
        assert everything[FigureTable.GYM_HOURS]["entries"].sum() == counted


@pytest.fixture
def writer(tmp_path: Path) -> ArchiveWriter:
    return ArchiveWriter(tmp_path / "archive")


def _visit(number: int, day: int, hours: float = 1, **changes: object) -> VisitState:
    entered = datetime(2026, 4, day, 10, tzinfo=UTC)
    visit = VisitState(f"visit-{number}", "zurich", entered, entered + timedelta(hours=hours), number)
    return replace(visit, **changes)  # type: ignore[arg-type]


def test_a_plan_without_changes_is_empty(writer: ArchiveWriter, tmp_path: Path) -> None:
    writer.append([_visit(1, 2), _visit(2, 3)])
    request = _request(writer, tmp_path / "figures", datetime(2026, 5, 1, tzinfo=UTC))
    first, figures = computed(request)
    again, same = computed(replace(request, as_of=datetime(2026, 5, 2, tzinfo=UTC)))

    assert first.groups
    assert not again.groups
    assert all(figures[table].equals(same[table]) for table in figures)


def test_a_changed_day_is_computed_alone(writer: ArchiveWriter, tmp_path: Path) -> None:
    writer.append([_visit(number, day) for number, day in enumerate((2, 3, 4, 5))])
    request = _request(writer, tmp_path / "figures", datetime(2026, 5, 1, tzinfo=UTC))
    computed(request)
    writer.append([_visit(1, 3, annulled=True)])
    plan, _ = computed(replace(request, tables=frozenset({FigureTable.GYM_HOURS})))

    # Until Lord Howe's next day, because the archive's days are in UTC.
    assert [(group.window.first_day, group.window.last_day) for group in plan.groups] == [
        (date(2026, 4, 3), date(2026, 4, 4))
    ]


def test_only_groups_that_are_left_are_planned_after_a_crash(writer: ArchiveWriter, tmp_path: Path) -> None:

    writer.append([_visit(1, 2)])
    request = _request(writer, tmp_path / "figures", datetime(2026, 5, 1, tzinfo=UTC))
    plan = make_plan(request)
    done = compute_group(plan.groups[0])

    left = [file.path for group in make_plan(request).groups for file in group.files]
    assert left
    assert not set(left) & set(done.paths)
    assert {*left, *done.paths} == {file.path for group in plan.groups for file in group.files}


def test_gyms_are_divided_by_rows_and_a_group_has_the_same_figures(writer: ArchiveWriter, tmp_path: Path) -> None:
    writer.append([_visit(number, 2 + number % 3, gym_id=("zurich", "lord-howe")[number % 2]) for number in range(12)])
    request = _request(writer, tmp_path / "whole", datetime(2026, 5, 1, tzinfo=UTC))
    _, whole = computed(request)
    plan, divided = computed(replace(request, store=FigureStore(str(tmp_path / "divided")), rows_per_task=4))

    assert len({path for paths in plan.paths.values() for path in paths}) > len(_TABLES)
    assert all(divided[table].equals(whole[table]) for table in whole)


def test_reports_of_different_days_share_the_files_of_a_month(writer: ArchiveWriter, tmp_path: Path) -> None:
    writer.append([_visit(number, 1 + number) for number in range(9)])
    tables = frozenset({FigureTable.GYM_HOURS, FigureTable.MEMBER_PERIODS})
    now = datetime(2026, 5, 1, tzinfo=UTC)
    request = _request(writer, tmp_path / "figures", now, tables=tables, rows_per_task=6)
    computed(request)
    plan, figures = computed(replace(request, first_day=date(2026, 4, 2), last_day=date(2026, 4, 3)))

    assert {file.table for group in plan.groups for file in group.files} == {FigureTable.MEMBER_PERIODS}
    assert figures[FigureTable.MEMBER_PERIODS]["visits"].sum() == 2
    of_one = plan.figures(request.store, ["lord-howe"])[FigureTable.GYM_HOURS].collect()
    assert set(of_one["gym_id"]) == {"lord-howe"}


def test_another_capacity_computes_everything_again(writer: ArchiveWriter, tmp_path: Path) -> None:
    writer.append([_visit(1, 2)])
    request = _request(writer, tmp_path / "figures", datetime(2026, 5, 1, tzinfo=UTC))
    computed(request)
    larger = tuple(replace(gym, capacity=50) for gym in _GYMS)

    plan, _ = computed(replace(request, gyms=larger))
    assert len(plan.groups) > 1
    assert not any(file.keep for group in plan.groups for file in group.files)


def test_a_rewritten_day_is_read_without_versions_and_counts_the_same(writer: ArchiveWriter, tmp_path: Path) -> None:
    visits = [_visit(number, 2) for number in range(4)]
    writer.append([replace(visits[0], left_at=None), *visits])
    request = _request(writer, tmp_path / "figures", datetime(2026, 5, 1, tzinfo=UTC))
    _, before = computed(request)
    writer.rewrite_day(visits, visits[0].entered_at)
    files = table_files(writer.url, VISITS)
    _, after = computed(request)

    assert [day.is_settled for day in files.days.values()] == [True]
    assert all(after[table].equals(before[table]) for table in before)


def test_a_repeat_of_an_event_does_not_win_over_a_newer_version(writer: ArchiveWriter) -> None:
    visit = _visit(1, 2)
    opened = replace(visit, left_at=None)
    writer.append([opened], event_id="entered")
    writer.append([visit], event_id="left")
    writer.append([opened], event_id="entered")

    read = read_current(writer.url, VISITS, visit.entered_at, visit.entered_at + timedelta(days=1)).collect()
    assert read["left_at"].to_list() == [visit.left_at]


def test_one_event_may_change_several_visits(writer: ArchiveWriter) -> None:
    writer.append([_visit(1, 2), _visit(2, 2)], event_id="entered elsewhere")

    begin = datetime(2026, 4, 2, tzinfo=UTC)
    assert read_current(writer.url, VISITS, begin, begin + timedelta(days=1)).select(pl.len()).collect().item() == 2


def test_a_visit_that_moved_to_another_day_is_annulled_there_by_the_same_event(writer: ArchiveWriter) -> None:
    visit = _visit(1, 2)
    writer.append([visit])
    writer.append(moved(visit, timedelta(hours=-20)), event_id="uploaded")

    begin = datetime(2026, 4, 1, tzinfo=UTC)
    read = read_current(writer.url, VISITS, begin, begin + timedelta(days=3)).collect()
    assert read["entered_at"].to_list() == [visit.entered_at - timedelta(hours=20)]


def test_visits_that_began_weeks_earlier_are_found(writer: ArchiveWriter) -> None:
    writer.append([_visit(1, 1, hours=24 * 8 + 1), _visit(2, 2), _visit(3, 3, left_at=None)])

    begin = datetime(2026, 4, 9, tzinfo=UTC)
    found = table_files(writer.url, VISITS).covering(begin, begin + timedelta(days=1))
    assert [day.day for day in found.days] == [1, 3]


def test_a_changed_day_of_a_table_without_ends_is_computed_again(writer: ArchiveWriter, tmp_path: Path) -> None:
    at = datetime(2026, 4, 2, 10, tzinfo=UTC)
    request = _request(
        writer, tmp_path / "figures", datetime(2026, 5, 1, tzinfo=UTC), tables=frozenset({FigureTable.REFUSALS})
    )
    writer.append_scan("scan-1", "zurich", at, "gym_full")
    computed(request)
    writer.append_scan("scan-2", "zurich", at, "gym_full")
    plan, figures = computed(request)

    assert [group.window.first_day for group in plan.groups] == [date(2026, 4, 2)]
    assert figures[FigureTable.REFUSALS]["refusals"].to_list() == [2]


def test_an_archive_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    files = table_files(str(tmp_path / "nowhere"), VISITS)

    assert files.version == -1
    assert not files.days
