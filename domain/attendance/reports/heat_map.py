"""Report: how full a gym is in each hour of the week."""

from datetime import date

import polars as pl

from domain.attendance.privacy import HIDDEN, hide_small_groups
from domain.attendance.reports.ranks import nearest_rank


def heat_map(gym_hours: pl.LazyFrame, first_day: date, last_day: date) -> pl.DataFrame:
    """The heat map of each gym.

    Returns:
        `gym_id`, `weekday` (0 is Monday), `hour`, `mean_inside`, `p90_inside`, `busy_share`, `full_share`, `hidden`.
        A cell in which never five people were inside at once is hidden.
    """
    length, inside = pl.col("length_us").sum(), pl.col("inside_us")
    rows = (
        gym_hours.filter(pl.col("day").is_between(first_day, last_day))
        .group_by("gym_id", weekday=pl.col("day").dt.weekday() - 1, hour=pl.col("hour"))
        .agg(
            mean_inside=inside.sum() / length,
            p90_inside=nearest_rank(inside / pl.col("length_us"), tenths=9),
            busy_share=pl.col("busy_us").sum() / length,
            full_share=pl.col("full_us").sum() / length,
            people=pl.col("max_inside").max(),
        )
        .sort("gym_id", "weekday", "hour")
        .collect()
    )
    figures = ["mean_inside", "p90_inside", "busy_share", "full_share"]
    return hide_small_groups(rows, "people", figures).select("gym_id", "weekday", "hour", *figures, HIDDEN)
