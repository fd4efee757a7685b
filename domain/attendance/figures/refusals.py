"""Facts about refused scans."""

import polars as pl

from domain.attendance.calendar import LocalClock
from domain.door.model import Outcome, Reason


def refusals(scans: pl.DataFrame, clock: LocalClock) -> pl.DataFrame:
    """Refused scans per gym, day, hour, reason and member.

    Args:
        scans: the scans of the window, without repeats of an answer.

    Returns:
        `gym_id`, `day`, `hour`, `reason`, `member_key` (null: unknown), `refusals`, and `lost_visits`: 1 where the
        member's last `gym_full` of the day was, if they did not enter afterwards on that day.
    """
    at = pl.col("decided_at")
    of_days = (
        scans.lazy()
        .filter(~pl.col("repeat"))
        .with_columns(day=clock.day(at), hour=clock.hour(at))
        .select("gym_id", "day", "hour", "member_key", "outcome", "reason", "decided_at")
    )
    who = ["gym_id", "day", "member_key"]
    is_full = pl.col("reason").eq_missing(pl.lit(Reason.GYM_FULL.value))
    lost = (
        of_days.filter(pl.col("member_key").is_not_null())
        .group_by(who)
        .agg(
            last_full=at.filter(is_full).max(),
            last_entry=at.filter(pl.col("outcome") == Outcome.ENTERED.value).max(),
        )
        .filter(pl.col("last_full").is_not_null())
        .filter(pl.col("last_entry").is_null() | (pl.col("last_entry") <= pl.col("last_full")))
    )
    return (
        of_days.filter(pl.col("outcome") == Outcome.REFUSED.value)
        .join(lost, on=who, how="left")
        .with_columns(is_lost=is_full & (at == pl.col("last_full")).fill_null(value=False))
        .group_by("gym_id", "day", "hour", "reason", "member_key")
        .agg(refusals=pl.len().cast(pl.Int32), lost_visits=pl.col("is_lost").any().cast(pl.Int32))
        .collect()
    )
