"""Facts per gym and hour."""

from datetime import datetime

import polars as pl

from domain.attendance.calendar import LocalClock, hours
from domain.attendance.figures.steps import inside_by_slot
from domain.attendance.model import Window


def gym_hours(
    visits: pl.DataFrame, gyms: pl.DataFrame, time_zone: str, clock: LocalClock, window: Window
) -> pl.DataFrame:
    """One row for each gym and hour of the window, until `as_of`.

    Args:
        visits: every visit that touches the window.
        gyms: `gym_id` and `capacity`, all in this time zone.

    Returns:
        The columns of `inside_by_slot` with `gym_id`, `day`, `hour`, `starts_at`, `length_us`, and `entries` and
        `exits`: visits that began and ended in the hour.
    """
    slots = hours(time_zone, window.first_day, window.last_day, window.as_of)
    if slots.is_empty():
        return pl.DataFrame(schema={})
    stays = visits.select("gym_id", begins_at="entered_at", ends_at="left_at")
    begin, end = slots["starts_at"][0], slots["ends_at"][-1]
    keys = ["gym_id", "starts_at"]
    return (
        gyms.select("gym_id")
        .join(
            slots.select(
                "day",
                "hour",
                "starts_at",
                length_us=(pl.col("ends_at") - pl.col("starts_at")).cast(pl.Int64),
            ),
            how="cross",
        )
        .join(_counted(visits, clock, "entered_at", "entries", begin, end), on=keys, how="left")
        .join(_counted(visits, clock, "left_at", "exits", begin, end), on=keys, how="left")
        .join(inside_by_slot(stays, slots, gyms, "gym_id"), on=keys, how="left")
        .with_columns(pl.col("entries", "exits").fill_null(0).cast(pl.Int32))
    )


def _counted(
    visits: pl.DataFrame, clock: LocalClock, moment: str, name: str, begin: datetime, end: datetime
) -> pl.DataFrame:
    """How many of the moments are in each hour."""
    return (
        visits.lazy()
        .filter(pl.col(moment).is_between(begin, end, closed="left"))
        .group_by("gym_id", starts_at=clock.hour_begins_at(pl.col(moment)))
        .agg(pl.len().alias(name))
        .collect()
    )
