from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attendance.calendar import UTC_TIME
from domain.attendance.figures.compute import ArchiveFrames, compute_figures
from domain.attendance.model import FigureTable, GymCalendar, Window
from tests.unit.domain.attendance.by_hand import (
    HandVisit,
    gym_hours_by_hand,
    hours_by_hand,
    member_days_by_hand,
    visit_frame,
)

_NOW = datetime(2027, 1, 1, tzinfo=UTC)
_HOUR_COLUMNS = [
    "day", "hour", "length_us", "entries", "exits", "inside_us", "min_inside", "max_inside", "occupied_us", "busy_us",
    "full_us",
]  # fmt: skip
_SCANS = pl.Schema({
    "gym_id": pl.String(), "member_key": pl.Int64(), "outcome": pl.String(), "reason": pl.String(),
    "repeat": pl.Boolean(),
    "decided_at": UTC_TIME,
})  # fmt: skip
_USES = pl.Schema({
    "gym_id": pl.String(), "machine_id": pl.String(), "member_key": pl.Int64(), "started_at": UTC_TIME,
    "ended_at": UTC_TIME,
})  # fmt: skip


def _facts(
    table: FigureTable,
    gyms: Sequence[GymCalendar],
    window: Window,
    visits: Sequence[HandVisit] = (),
    scans: Sequence[tuple[object, ...]] = (),
    uses: Sequence[tuple[object, ...]] = (),
) -> pl.DataFrame:
    frames = ArchiveFrames(
        visit_frame(visits),
        pl.DataFrame(list(scans), schema=_SCANS, orient="row"),
        pl.DataFrame(list(uses), schema=_USES, orient="row"),
    )
    return compute_figures({table}, frames, gyms, window)[table]


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Zurich", date(2026, 3, 29)),
        ("Europe/Zurich", date(2026, 10, 25)),
        ("Australia/Sydney", date(2026, 10, 4)),
        ("Australia/Lord_Howe", date(2026, 4, 5)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),
        ("Asia/Kolkata", date(2026, 10, 31)),
    ],
)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_gym_hours_are_those_counted_by_hand(zone: str, day: date, data: st.DataObject) -> None:
    begin = datetime.combine(day, datetime.min.time(), UTC) - timedelta(hours=30)
    # Moments in steps of ten minutes meet each other and the beginnings of hours.
    moment = st.integers(0, 60 * 6).map(lambda number: begin + timedelta(minutes=10 * number))
    stay = st.tuples(moment, st.none() | st.integers(0, 60).map(lambda number: timedelta(minutes=10 * number)))
    stays = data.draw(st.lists(stay, max_size=12))
    as_of = data.draw(st.sampled_from([_NOW, begin + timedelta(hours=31, minutes=7)]))
    visits = [
        HandVisit(data.draw(st.sampled_from("ab")), entered, None if length is None else entered + length)
        for entered, length in stays
        if entered + (length or timedelta()) <= as_of
    ]
    gyms = [GymCalendar("a", zone, 3), GymCalendar("b", "Europe/London", 2)]

    found = _facts(FigureTable.GYM_HOURS, gyms, Window(day, day, as_of), visits)

    for gym in gyms:
        rows = found.filter(pl.col("gym_id") == gym.gym_id).sort("starts_at").select(_HOUR_COLUMNS).rows()
        hours = hours_by_hand(gym.time_zone, day, day, as_of)
        assert rows == list(gym_hours_by_hand(visits, gym.gym_id, gym.capacity, hours))


def test_a_visit_across_midnight_and_the_end_of_a_month_counts_in_both() -> None:
    gym = GymCalendar("a", "Asia/Kolkata", 10)
    entered = datetime(2026, 10, 31, 18, 0, tzinfo=UTC)  # 23:30 on 31 October
    visit = HandVisit("a", entered, entered + timedelta(hours=1))
    october, november = (
        _facts(FigureTable.GYM_HOURS, [gym], Window(first, last, _NOW), [visit])
        for first, last in ((date(2026, 10, 1), date(2026, 10, 31)), (date(2026, 11, 1), date(2026, 11, 30)))
    )

    half_an_hour = 30 * 60_000_000
    assert [month["inside_us"].sum() for month in (october, november)] == [half_an_hour, half_an_hour]
    assert [month["entries"].sum() for month in (october, november)] == [1, 0]
    assert [month["exits"].sum() for month in (october, november)] == [0, 1]


def test_an_open_visit_counts_until_the_present() -> None:
    gym = GymCalendar("a", "UTC", 10)
    now = datetime(2026, 5, 1, 10, 20, tzinfo=UTC)
    visit = HandVisit("a", now - timedelta(days=2), None)

    found = _facts(FigureTable.GYM_HOURS, [gym], Window(date(2026, 5, 1), date(2026, 5, 1), now), [visit])

    assert found["inside_us"].sum() == 620 * 60_000_000
    assert found["max_inside"].to_list() == [1] * 11


def test_people_are_counted_per_member_and_local_day() -> None:
    gym = GymCalendar("a", "Australia/Lord_Howe", 10)
    begin = datetime(2026, 4, 4, 10, tzinfo=UTC)
    visits = [
        HandVisit("a", begin + timedelta(minutes=47 * number), begin + timedelta(minutes=47 * number + 20), number % 3)
        for number in range(40)
    ]
    window = Window(date(2026, 4, 4), date(2026, 4, 6), _NOW)

    found = _facts(FigureTable.MEMBER_DAYS, [gym], window, visits)

    counted = {(row["gym_id"], row["member_key"], row["day"]): row["visits"] for row in found.iter_rows(named=True)}
    assert counted == member_days_by_hand(visits, gym.time_zone)
    periods = _facts(FigureTable.MEMBER_PERIODS, [gym], window, visits)
    assert periods["visits"].sum() == 40


def test_hours_of_entry_are_kept_as_bits() -> None:
    gym = GymCalendar("a", "Europe/Zurich", 10)
    at = [datetime(2026, 5, 1, hour, tzinfo=UTC) for hour in (4, 4, 21)]
    visits = [HandVisit("a", moment, moment + timedelta(minutes=5), 7) for moment in at]

    found = _facts(FigureTable.MEMBER_DAYS, [gym], Window(date(2026, 5, 1), date(2026, 5, 1), _NOW), visits)

    assert found.select("visits", "entry_hours").row(0) == (3, 1 << 6 | 1 << 23)


def test_visits_without_a_member_count_as_visits_and_as_people_only_for_privacy() -> None:
    gym = GymCalendar("a", "UTC", 10)
    at = datetime(2026, 5, 1, 4, tzinfo=UTC)
    visits = [HandVisit("a", at, at + timedelta(minutes=5), key) for key in (None, None, 1, 1)]
    window = Window(date(2026, 5, 1), date(2026, 5, 1), _NOW)

    assert _facts(FigureTable.MEMBER_DAYS, [gym], window, visits)["visits"].sum() == 4
    assert _facts(FigureTable.MEMBER_PERIODS, [gym], window, visits)["visits"].to_list() == [2]
    assert _facts(FigureTable.STAY_PEOPLE, [gym], window, visits)["people"].to_list() == [3, 3]


def test_stays_keep_inferred_endings_apart_and_leave_out_open_visits() -> None:
    gym = GymCalendar("a", "UTC", 10)
    at = datetime(2026, 5, 1, 4, tzinfo=UTC)
    ends = [(59, None), (60, None), (60, "forgotten"), (None, None)]
    visits = [
        HandVisit("a", at, None if minutes is None else at + timedelta(minutes=minutes, seconds=59), 1, inferred)
        for minutes, inferred in ends
    ]

    found = _facts(FigureTable.STAYS, [gym], Window(date(2026, 5, 1), date(2026, 5, 1), _NOW), visits)

    assert found.sort("inferred", "minutes").select("inferred", "minutes", "visits").rows() == [
        (False, 59, 1),
        (False, 60, 1),
        (True, 60, 1),
    ]


def test_a_visit_is_lost_where_a_member_found_the_gym_full_and_did_not_enter_later() -> None:
    gym = GymCalendar("a", "Europe/Zurich", 10)
    at = datetime(2026, 5, 1, 16, tzinfo=UTC)

    def scan(minutes: int, member: int | None, reason: str | None, *, repeat: bool = False) -> tuple[object, ...]:
        outcome = "entered" if reason is None else "refused"
        return "a", member, outcome, reason, repeat, at + timedelta(minutes=minutes)

    scans = [
        scan(0, 1, "gym_full"), scan(70, 1, "gym_full"), scan(71, 1, "gym_full", repeat=True),
        scan(0, 2, "gym_full"), scan(5, 2, None),
        scan(0, 3, None), scan(60, 3, "gym_full"),
        scan(0, 4, "expired_pass"), scan(0, None, "unknown_pass"),
        scan(0, 5, "gym_full"), scan(60 * 24, 5, None),
    ]  # fmt: skip

    found = _facts(FigureTable.REFUSALS, [gym], Window(date(2026, 5, 1), date(2026, 5, 2), _NOW), scans=scans)

    lost = found.filter(pl.col("lost_visits") > 0).sort("member_key")
    assert lost.select("member_key", "hour").rows() == [(1, 19), (3, 19), (5, 18)]
    assert found["refusals"].sum() == 7


def test_use_of_a_machine_is_cut_at_hours() -> None:
    gym = GymCalendar("a", "Australia/Lord_Howe", 10)
    begin = datetime(2026, 4, 4, 14, 40, tzinfo=UTC)  # 01:40; the hour 1 occurs again for half an hour
    uses = [
        ("a", "m", 1, begin, begin + timedelta(minutes=80)),
        ("a", "m", 2, begin, begin),
        ("a", "n", 1, begin, None),
    ]

    found = _facts(FigureTable.MACHINE_HOURS, [gym], Window(date(2026, 4, 4), date(2026, 4, 5), _NOW), uses=uses)

    minute = 60_000_000
    of_m = found.filter(pl.col("machine_id") == "m").sort("starts_at")
    assert of_m.select("hour", "uses", pl.col("used_us") // minute).rows() == [
        (1, 2, 20),
        (1, 0, 30),
        (2, 0, 30),
    ]
    of_n = found.filter(pl.col("machine_id") == "n")
    assert of_n["used_us"].sum() == (22 * 60 + 50) * minute
    people = _facts(FigureTable.MACHINE_PEOPLE, [gym], Window(date(2026, 4, 4), date(2026, 4, 5), _NOW), uses=uses)
    assert people.filter((pl.col("machine_id") == "m") & (pl.col("hour") == -1))["people"].to_list() == [2]
