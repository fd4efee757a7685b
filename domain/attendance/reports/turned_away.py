"""Report: who was turned away, by reason and hour."""

from datetime import date

import polars as pl

from domain.attendance.privacy import HIDDEN, hide_small_groups

_FIGURES = ["refusals", "people", "lost_visits"]


def turned_away(refusals: pl.LazyFrame, first_day: date, last_day: date) -> pl.DataFrame:
    """Refusals of some days.

    Returns:
        `gym_id`, `reason`, `hour` (null: all hours), `refusals`, `people`, `lost_visits`, `hidden`.
    """
    chosen = refusals.filter(pl.col("day").is_between(first_day, last_day))
    by_hour = _counted(chosen, ["gym_id", "reason", "hour"])
    in_all = _counted(chosen, ["gym_id", "reason"]).with_columns(hour=pl.lit(None, dtype=pl.Int8))
    shown = [_private(by_hour, ["gym_id", "reason"]), _private(in_all.select(by_hour.columns), None)]
    return pl.concat(shown).sort("gym_id", "reason", "hour", nulls_last=True)


def _counted(refusals: pl.LazyFrame, keys: list[str]) -> pl.DataFrame:
    members, number = pl.col("member_key"), pl.col("refusals").cast(pl.Int64)
    return (
        refusals.group_by(keys)
        .agg(
            refusals=number.sum(),
            people=members.drop_nulls().n_unique().cast(pl.Int64) + number.filter(members.is_null()).sum(),
            lost_visits=pl.col("lost_visits").cast(pl.Int64).sum(),
        )
        .collect()
    )


def _private(rows: pl.DataFrame, parts_of: list[str] | None) -> pl.DataFrame:
    of_lost = hide_small_groups(rows, "lost_visits", ["lost_visits"], parts_of).drop(HIDDEN)
    return hide_small_groups(of_lost, "people", _FIGURES, parts_of)
