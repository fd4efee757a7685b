"""Facts per machine and hour."""

from datetime import timedelta
from typing import Final

import polars as pl

from domain.attendance.calendar import UTC_TIME, LocalClock, day_begins_at
from domain.attendance.model import Window

ALL_HOURS: Final = -1
_DAY: Final = timedelta(days=1)


def machine_hours(uses: pl.DataFrame, time_zone: str, clock: LocalClock, window: Window) -> pl.DataFrame:
    """One row for each machine and hour in which it was in use.

    Args:
        uses: every use that touches the window.

    Returns:
        `gym_id`, `machine_id`, `day`, `hour`, `starts_at`, `uses` (that began in the hour), `used_us`.
    """
    parts = _by_hour(uses, time_zone, clock, window)
    return parts.group_by("gym_id", "machine_id", "day", "hour", "starts_at").agg(
        uses=pl.col("is_first").sum().cast(pl.Int32), used_us=pl.col("used_us").sum()
    )


def machine_people(uses: pl.DataFrame, time_zone: str, clock: LocalClock, window: Window) -> pl.DataFrame:
    """How many different people used a machine in each hour of the day, and in all of them (hour -1).

    A use without a member counts as a person.
    """
    parts = _by_hour(uses, time_zone, clock, window)
    members = pl.col("member_key")
    people = (members.drop_nulls().n_unique() + (members.is_null() & pl.col("is_first")).sum()).cast(pl.Int32)
    in_hours = parts.group_by("gym_id", "machine_id", "hour").agg(people=people)
    in_all = parts.group_by("gym_id", "machine_id").agg(people=people)
    return pl.concat([in_hours, in_all.with_columns(hour=pl.lit(ALL_HOURS, dtype=pl.Int8)).select(in_hours.columns)])


def _by_hour(uses: pl.DataFrame, time_zone: str, clock: LocalClock, window: Window) -> pl.DataFrame:
    """Each use, cut at the hours that it touches."""
    begin = day_begins_at(time_zone, window.first_day)
    end = min(day_begins_at(time_zone, window.last_day + _DAY), window.as_of)
    rest = (
        uses.select(
            "gym_id",
            "machine_id",
            "member_key",
            is_first=pl.col("started_at") >= begin,
            at=pl.max_horizontal("started_at", pl.lit(begin, dtype=UTC_TIME)),
            ends_at=pl.min_horizontal(pl.col("ended_at").fill_null(end), pl.lit(end, dtype=UTC_TIME)),
        )
        # A use may end at once, and still is one.
        .filter((pl.col("at") < pl.col("ends_at")) | (pl.col("is_first") & (pl.col("at") < end)))
    )
    parts = []
    while True:
        cut = rest.with_columns(until=pl.min_horizontal("ends_at", clock.hour_ends_at(pl.col("at"))))
        parts.append(
            cut.select(
                "gym_id",
                "machine_id",
                "member_key",
                "is_first",
                day=clock.day(pl.col("at")),
                hour=clock.hour(pl.col("at")),
                starts_at=clock.hour_begins_at(pl.col("at")),
                used_us=(pl.col("until") - pl.col("at")).cast(pl.Int64).clip(0),
            )
        )
        rest = (
            cut.filter(pl.col("until") < pl.col("ends_at"))
            .select("gym_id", "machine_id", "member_key", "ends_at", at="until", is_first=pl.lit(value=False))
            .select(rest.columns)
        )
        if rest.is_empty():
            return pl.concat(parts)
