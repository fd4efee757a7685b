from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.attendance.figures.compute import ArchiveFrames, compute_figures
from domain.attendance.model import (
    DEFINITIONS,
    FIGURES_OF,
    Breakdown,
    FigureTable,
    GymCalendar,
    Report,
    Window,
)
from domain.attendance.privacy import hide_small_groups
from domain.attendance.reports.dwell import dwell
from domain.attendance.reports.heat_map import heat_map
from domain.attendance.reports.machines import MACHINES_SCHEMA, machines_report
from domain.attendance.reports.members import STATES_SCHEMA, members_report
from domain.attendance.reports.occupancy import occupancy
from domain.attendance.reports.turned_away import turned_away
from domain.attendance.reports.visits import Period, visits_report
from tests.unit.domain.attendance.by_hand import HandVisit, visit_frame

_GYM = GymCalendar("a", "Europe/Zurich", 10)
_FIRST, _LAST = date(2026, 5, 4), date(2026, 5, 10)  # Monday to Sunday
_NOW = datetime(2026, 6, 1, tzinfo=UTC)
_SCANS = pl.Schema({
    "gym_id": pl.String(), "member_key": pl.Int64(), "outcome": pl.String(), "reason": pl.String(),
    "repeat": pl.Boolean(),
    "decided_at": pl.Datetime("us", "UTC"),
})  # fmt: skip
_USES = pl.Schema({
    "gym_id": pl.String(), "machine_id": pl.String(), "member_key": pl.Int64(), "started_at": pl.Datetime("us", "UTC"),
    "ended_at": pl.Datetime("us", "UTC"),
})  # fmt: skip


def _visit(member: int | None, day: int, hour: float, minutes: int = 60, inferred: str | None = None) -> HandVisit:
    """A visit in May, at an hour of Zurich's clock."""
    entered = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(days=day - 1, hours=hour - 2)
    return HandVisit("a", entered, entered + timedelta(minutes=minutes), member, inferred)


def _figures(
    report: Report, visits: list[HandVisit], *, scans: pl.DataFrame | None = None, uses: pl.DataFrame | None = None,
    first_day: date = date(2026, 4, 27), last_day: date = _LAST,
) -> dict[FigureTable, pl.LazyFrame]:  # fmt: skip
    frames = ArchiveFrames(
        visit_frame(visits),
        pl.DataFrame(schema=_SCANS) if scans is None else scans,
        pl.DataFrame(schema=_USES) if uses is None else uses,
    )
    computed = compute_figures(FIGURES_OF[report], frames, [_GYM], Window(first_day, last_day, _NOW))
    return {table: frame.lazy() for table, frame in computed.items()}


@pytest.mark.parametrize("report", Report)
def test_every_report_defines_its_figures(report: Report) -> None:
    assert DEFINITIONS[report]


def test_visits_by_weekday_with_first_visits_and_the_week_before() -> None:
    week = [_visit(member, day, 18) for member in range(8) for day in (4, 5)]
    before = [_visit(member, 27 - 30, 18) for member in range(2, 8)]  # 27 April
    found = visits_report(_figures(Report.VISITS, week + before), Period(_FIRST, _LAST), Breakdown.WEEKDAY)

    monday, total = found.row(0, named=True), found.row(-1, named=True)
    assert (monday["cell"], monday["visits"], monday["members"], monday["visits_before"]) == ("0", 8, 8, 6)
    assert (total["cell"], total["visits"], total["members"], total["visits_before"]) == (None, 16, 8, 6)
    assert total["change"] == pytest.approx(10 / 6)
    assert total["first_visits"] is None  # two members: too few to be shown


def test_visits_by_hour_count_a_member_once_in_each_hour() -> None:
    visits = [_visit(member, day, hour) for member in range(6) for day in (4, 6) for hour in (7.2, 7.9, 18)]
    found = visits_report(_figures(Report.VISITS, visits), Period(_FIRST, _LAST), Breakdown.HOUR)

    rows = {row["cell"]: row for row in found.iter_rows(named=True)}
    assert (rows["07"]["visits"], rows["07"]["members"], rows["07"]["first_visits"]) == (24, 6, 6)
    assert (rows["18"]["visits"], rows["18"]["members"], rows["18"]["first_visits"]) == (12, 6, 0)
    assert rows["03"]["visits"] == 0


@pytest.mark.parametrize(
    ("by", "cells"),
    [
        (Breakdown.DAY, ["2026-05-04", "2026-05-05"]),
        (Breakdown.WEEK, ["2026-W19"]),
        (Breakdown.MONTH, ["2026-05"]),
    ],
)
def test_visits_by_days_weeks_and_months(by: Breakdown, cells: list[str]) -> None:
    visits = [_visit(member, day, 18) for member in range(6) for day in (4, 5)]
    found = visits_report(_figures(Report.VISITS, visits), Period(_FIRST, _LAST), by)

    assert found.filter((pl.col("visits") > 0) & pl.col("cell").is_not_null())["cell"].to_list() == cells


def test_heat_map_has_means_and_shares_of_time() -> None:
    visits = [_visit(member, 4, 18, minutes=30) for member in range(10)]
    found = heat_map(_figures(Report.HEAT_MAP, visits)[FigureTable.GYM_HOURS], _FIRST, _LAST)

    cell = found.filter((pl.col("weekday") == 0) & (pl.col("hour") == 18)).row(0, named=True)
    assert (cell["mean_inside"], cell["p90_inside"], cell["busy_share"], cell["full_share"]) == (5, 5, 0.5, 0.5)
    assert found.height == 7 * 24


def test_heat_map_hides_hours_with_few_people() -> None:
    visits = [_visit(member, 4, 18) for member in range(4)]
    found = heat_map(_figures(Report.HEAT_MAP, visits)[FigureTable.GYM_HOURS], _FIRST, _LAST)

    assert found.filter(pl.col("hidden")).select("weekday", "hour", "mean_inside").rows() == [(0, 18, None)]
    assert found.filter(~pl.col("hidden"))["mean_inside"].sum() == 0


def test_dwell_keeps_inferred_endings_apart() -> None:
    visits = [_visit(member, 4, 8, minutes=10 * member) for member in range(1, 11)]
    visits += [_visit(member, 5, 8, minutes=360, inferred="forgotten") for member in range(6)]
    figures = _figures(Report.DWELL, visits)
    found = dwell(figures[FigureTable.STAYS], figures[FigureTable.STAY_PEOPLE], _FIRST, _LAST)

    assert found.summary.rows() == [("a", False, 10, 50, 90, False), ("a", True, 6, 360, 360, False)]
    inferred = found.distribution.filter(pl.col("inferred"))
    assert inferred.select("from_minutes", "visits").rows() == [(240, 6)]
    # Steps of one or two people each.
    assert found.distribution.filter(~pl.col("inferred"))["visits"].to_list() == [None] * 7


def test_occupancy_of_a_day_with_23_hours() -> None:
    gym, day = GymCalendar("a", "Europe/Zurich", 10), date(2026, 3, 29)
    begin = datetime(2026, 3, 28, 23, tzinfo=UTC)
    visits = [HandVisit("a", begin + timedelta(minutes=2, seconds=30), None, member) for member in range(6)]
    found = occupancy(visit_frame(visits), gym, day, _NOW)

    assert found.height == 23 * 12
    assert found.row(0, named=True) == {
        "minute": 0, "starts_at": begin, "min_inside": 0, "mean_inside": 3.0, "max_inside": 6, "hidden": False,
    }  # fmt: skip
    assert found["mean_inside"][-1] == 6
    assert occupancy(visit_frame(visits[:3]), gym, day, _NOW)["mean_inside"].null_count() == 23 * 12
    assert occupancy(visit_frame(visits), gym, day, begin).is_empty()


def test_turned_away_counts_lost_visits_of_a_full_gym() -> None:
    at = datetime(2026, 5, 4, 16, tzinfo=UTC)
    scans: list[tuple[object, ...]] = [("a", member, "refused", "gym_full", False, at) for member in range(8)]
    scans += [("a", member, "entered", None, False, at + timedelta(minutes=30)) for member in range(2)]
    scans += [("a", None, "refused", "unknown_pass", False, at + timedelta(hours=number)) for number in range(6)]
    frame = pl.DataFrame(scans, schema=_SCANS, orient="row")
    found = turned_away(_figures(Report.TURNED_AWAY, [], scans=frame)[FigureTable.REFUSALS], _FIRST, _LAST)

    assert found.filter(pl.col("reason") == "gym_full").drop("gym_id", "reason").rows() == [
        (18, 8, 8, 6, False),
        (None, 8, 8, 6, False),
    ]
    unknown = found.filter(pl.col("reason") == "unknown_pass")
    assert unknown["refusals"].to_list() == [None] * 6 + [6]


def test_a_broken_rhythm_has_its_reason_in_words() -> None:
    steady = [_visit(1, day, 18) for day in range(1, 30, 2)]
    stopped = [_visit(2, day, 18) for day in range(1, 13, 2)]
    states = pl.DataFrame(
        [(1, date(2026, 2, 3), True), (2, date(2026, 2, 5), True), (3, date(2025, 1, 1), True), (4, None, False)],
        schema=STATES_SCHEMA,
        orient="row",
    )
    figures = _figures(Report.MEMBERS, steady + stopped, first_day=date(2026, 5, 1), last_day=date(2026, 5, 31))
    found = members_report(figures[FigureTable.MEMBER_PERIODS], states, date(2026, 5, 1), date(2026, 5, 31))

    rows = {row["member_key"]: row for row in found.members.iter_rows(named=True)}
    assert rows[2]["reason"] == "Came every 2.0 days until 2026-05-11, then not for 20 days."
    assert (rows[1]["broken_rhythm"], rows[1]["reason"], rows[1]["days_since_last"]) == (False, None, 2)
    assert [rows[key]["pays_and_does_not_come"] for key in (1, 2, 3, 4)] == [False, False, True, False]
    assert found.by_month.sort("member_key").rows() == [(1, date(2026, 5, 1), 15), (2, date(2026, 5, 1), 6)]
    assert found.cohorts["active"].to_list() == [None]  # two members joined in February
    assert found.counts.row(0)[0] is None


def test_machines_that_nobody_used_are_idle() -> None:
    visits = [_visit(member, 4, 18) for member in range(6)]
    begin = datetime(2026, 5, 4, 16, tzinfo=UTC)
    uses = [
        ("a", "rower", member, begin + timedelta(minutes=9 * member), begin + timedelta(minutes=9 * member + 9))
        for member in range(6)
    ]
    frame = pl.DataFrame(uses, schema=_USES, orient="row")
    figures = _figures(Report.MACHINES, visits, uses=frame)
    machines = pl.DataFrame([("a", "rower"), ("a", "bench")], schema=MACHINES_SCHEMA, orient="row")
    found = machines_report(
        figures[FigureTable.MACHINE_HOURS], figures[FigureTable.MACHINE_PEOPLE], figures[FigureTable.GYM_HOURS],
        machines, _FIRST, _LAST,
    )  # fmt: skip

    totals = {row["machine_id"]: row for row in found.filter(pl.col("hour").is_null()).iter_rows(named=True)}
    assert (totals["rower"]["uses"], totals["rower"]["minutes_per_use"], totals["rower"]["used_share"]) == (6, 9, 0.9)
    assert (totals["rower"]["is_overloaded"], totals["bench"]["is_idle"]) == (True, True)
    assert totals["bench"]["uses"] == 0


@given(counts=st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_what_is_hidden_cannot_be_computed_from_the_total(counts: list[int]) -> None:
    rows = pl.DataFrame({"total": ["t"] * len(counts), "people": counts, "visits": [2 * count for count in counts]})
    found = hide_small_groups(rows, "people", ["visits"], ["total"])

    hidden = [count for count, is_hidden in zip(counts, found["hidden"], strict=True) if is_hidden]
    shown = [count for count, is_hidden in zip(counts, found["hidden"], strict=True) if not is_hidden]
    assert not any(0 < count < 5 for count in shown)
    assert not hidden or max(hidden) >= 5 or all(count == 0 for count in shown)
    assert found["visits"].null_count() == len(hidden)
    # Nothing is hidden without a reason.
    assert not hidden or any(count < 5 for count in hidden)
    assert sum(count >= 5 for count in hidden) <= 1
