"""Report: how machines are used."""

from datetime import date
from typing import Final

import polars as pl

from domain.attendance.figures.machines import ALL_HOURS
from domain.attendance.privacy import HIDDEN, hide_small_groups

IDLE_BELOW: Final = 0.05
OVERLOADED_ABOVE: Final = 0.80
MACHINES_SCHEMA: Final = pl.Schema({"gym_id": pl.String, "machine_id": pl.String})
_US_PER_MINUTE: Final = 60_000_000
_FIGURES: Final = ["uses", "minutes_used", "minutes_per_use", "used_share", "is_idle", "is_overloaded"]


def machines_report(
    machine_hours: pl.LazyFrame,
    machine_people: pl.LazyFrame,
    gym_hours: pl.LazyFrame,
    machines: pl.DataFrame,
    first_day: date,
    last_day: date,
) -> pl.DataFrame:
    """Use per machine and hour of the day.

    Args:
        machine_people: of windows within these days.
        machines: see `MACHINES_SCHEMA`; those that nobody used are in it too.

    Returns:
        `gym_id`, `machine_id`, `hour` (null: all hours), the figures, `hidden`.
    """
    in_days = pl.col("day").is_between(first_day, last_day)
    used, occupied = machine_hours.filter(in_days), gym_hours.filter(in_days)
    people = machine_people.group_by("machine_id", "hour").agg(pl.col("people").max()).collect()
    all_machines = pl.concat([machines.lazy(), used.select("gym_id", "machine_id")]).unique()
    by_hour = _shares(used, occupied, all_machines, ["hour"])
    in_all = _shares(used, occupied, all_machines, []).with_columns(hour=pl.lit(ALL_HOURS, dtype=pl.Int8))
    with_people = [
        rows.join(people, on=["machine_id", "hour"], how="left").with_columns(pl.col("people").fill_null(0))
        for rows in (by_hour, in_all.select(by_hour.columns))
    ]
    shown = [
        hide_small_groups(with_people[0], "people", _FIGURES, ["machine_id"]),
        hide_small_groups(with_people[1], "people", _FIGURES),
    ]
    hour = pl.when(pl.col("hour") != ALL_HOURS).then("hour").alias("hour")
    return (
        pl.concat(shown)
        .select("gym_id", "machine_id", hour, *_FIGURES, HIDDEN)
        .sort("gym_id", "machine_id", "hour", nulls_last=True)
    )


def _shares(used: pl.LazyFrame, occupied: pl.LazyFrame, machines: pl.LazyFrame, hours: list[str]) -> pl.DataFrame:
    open_for = occupied.group_by("gym_id", *hours).agg(pl.col("occupied_us").sum())
    of_machines = used.group_by("machine_id", *hours).agg(pl.col("uses").cast(pl.Int64).sum(), pl.col("used_us").sum())
    minutes = pl.col("used_us") / _US_PER_MINUTE
    share = pl.when(pl.col("occupied_us") > 0).then(pl.col("used_us") / pl.col("occupied_us"))
    return (
        machines.join(open_for, on="gym_id")
        .join(of_machines, on=["machine_id", *hours], how="left")
        .with_columns(pl.col("uses", "used_us").fill_null(0))
        .select(
            "gym_id",
            "machine_id",
            *hours,
            "uses",
            minutes_used=minutes,
            minutes_per_use=pl.when(pl.col("uses") > 0).then(minutes / pl.col("uses")),
            used_share=share,
            is_idle=share < IDLE_BELOW,
            is_overloaded=share > OVERLOADED_ABOVE,
        )
        .collect()
    )
