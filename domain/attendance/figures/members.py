"""Facts per gym and member. A visit belongs to the local day on which it began."""

import polars as pl

from domain.attendance.calendar import LocalClock


def member_days(visits: pl.DataFrame, clock: LocalClock) -> pl.DataFrame:
    """Visits per gym, member and day. Those without a member have a row without a member.

    Args:
        visits: the visits that began in the window.

    Returns:
        `gym_id`, `member_key`, `day`, `visits`, `inside_us` (of ended visits), `entry_hours`: bit 0 to 23 is set if a
        visit began in that local hour.
    """
    entered, left = pl.col("entered_at"), pl.col("left_at")
    bit = pl.lit(1, dtype=pl.Int32) * pl.lit(2, dtype=pl.Int32).pow(clock.hour(entered).cast(pl.UInt32))
    return (
        visits.lazy()
        .select(
            "gym_id",
            "member_key",
            day=clock.day(entered),
            inside_us=(left - entered).cast(pl.Int64),
            bit=bit.cast(pl.Int32),
        )
        .group_by("gym_id", "member_key", "day")
        .agg(
            visits=pl.len().cast(pl.Int32),
            inside_us=pl.col("inside_us").sum(),
            entry_hours=pl.col("bit").bitwise_or(),
        )
        .collect()
    )


def member_periods(visits: pl.DataFrame, clock: LocalClock) -> pl.DataFrame:
    """Visits per gym and member over the whole window: `visits`, `first_day`, `last_day`."""
    return (
        visits.lazy()
        .filter(pl.col("member_key").is_not_null())
        .select("gym_id", "member_key", day=clock.day(pl.col("entered_at")))
        .group_by("gym_id", "member_key")
        .agg(
            visits=pl.len().cast(pl.Int32),
            first_day=pl.col("day").min(),
            last_day=pl.col("day").max(),
        )
        .collect()
    )
