"""Report on visits: how many, by how many members, how many for the first time, and compared with the period before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from domain.attendance.model import Breakdown, FigureTable
from domain.attendance.privacy import HIDDEN, hide_small_groups

_WITH_BEFORE: Final = {Breakdown.HOUR, Breakdown.WEEKDAY}
_FIGURES: Final = ("visits", "members", "first_visits", "visits_before", "change")


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, both included."""

    first_day: date
    last_day: date

    @property
    def before(self) -> "Period":
        """The period of the same length that ends where this one begins."""
        length = self.last_day - self.first_day
        return Period(self.first_day - timedelta(days=1) - length, self.first_day - timedelta(days=1))


def visits_report(facts: Mapping[FigureTable, pl.LazyFrame], period: Period, by: Breakdown) -> pl.DataFrame:
    """Visits by a breakdown; the row without a cell is the total.

    Args:
        facts: of the period and the one before; member periods of the whole past, for first visits.

    Returns:
        `gym_id`, `cell`, the figures, `hidden`. Hours and weekdays are compared with the same ones of the period
        before; for days, weeks and months only the total is compared.
    """
    found = _counted(facts, period, by)
    total = _counted(facts, period, None)
    before = _before(facts, period.before, by if by in _WITH_BEFORE else None)
    total_before = _before(facts, period.before, None)
    if by in _WITH_BEFORE:
        cells = found.join(before, on=["gym_id", "cell"], how="left").with_columns(
            pl.col("visits_before", "people_before").fill_null(0)
        )
    else:
        cells = found.with_columns(visits_before=pl.lit(None, pl.Int64), people_before=pl.lit(None, pl.Int64))
    totals = total.join(total_before, on=["gym_id", "cell"], how="left", nulls_equal=True).with_columns(
        pl.col("visits_before", "people_before").fill_null(0)
    )
    columns = ["gym_id", "cell", "visits", "members", "first_visits", "visits_before", "people", "people_before"]
    change = (pl.col("visits") - pl.col("visits_before")) / pl.col("visits_before")
    with_change = pl.when(pl.col("visits_before") > 0).then(change).alias("change")
    shown = [
        _private(cells.select(columns).with_columns(with_change), ["gym_id"]),
        _private(totals.select(columns).with_columns(with_change), None),
    ]
    return pl.concat(shown).select("gym_id", "cell", *_FIGURES, HIDDEN).sort("gym_id", "cell", nulls_last=True)


def _private(rows: pl.DataFrame, parts_of: list[str] | None) -> pl.DataFrame:
    """Hide small groups of visitors, of first visitors, and of visitors of the period before, each by itself."""
    of_first = hide_small_groups(rows, "first_visits", ["first_visits"], parts_of).drop(HIDDEN)
    of_before = hide_small_groups(of_first, "people_before", ["visits_before", "change"], parts_of).drop(HIDDEN)
    return hide_small_groups(of_before, "people", _FIGURES, parts_of)


def _counted(facts: Mapping[FigureTable, pl.LazyFrame], period: Period, by: Breakdown | None) -> pl.DataFrame:
    """Visits, members and first visits per cell."""
    days = _of_period(facts[FigureTable.MEMBER_DAYS], period)
    first = (
        facts[FigureTable.MEMBER_PERIODS]
        .group_by("gym_id", "member_key")
        .agg(ever_first=pl.col("first_day").min())
        .filter(pl.col("ever_first").is_between(period.first_day, period.last_day))
    )
    with_first = days.join(first, on=["gym_id", "member_key"], how="left").with_columns(
        is_first=pl.col("day").eq_missing(pl.col("ever_first")) & pl.col("member_key").is_not_null()
    )
    people = (
        _with_cell(with_first, by)
        .group_by("gym_id", "cell")
        .agg(
            members=pl.col("member_key").drop_nulls().n_unique().cast(pl.Int64),
            first_visits=pl.col("is_first").sum().cast(pl.Int64),
            anonymous=pl.col("visits").filter(pl.col("member_key").is_null()).sum().cast(pl.Int64),
        )
    )
    return (
        _visits(facts, period, by)
        .join(people.collect(), on=["gym_id", "cell"], how="left", nulls_equal=True)
        .with_columns(pl.col("members", "first_visits", "anonymous").fill_null(0))
        .with_columns(people=pl.col("members") + pl.col("anonymous"))
    )


def _before(facts: Mapping[FigureTable, pl.LazyFrame], period: Period, by: Breakdown | None) -> pl.DataFrame:
    return _counted(facts, period, by).select("gym_id", "cell", visits_before="visits", people_before="people")


def _visits(facts: Mapping[FigureTable, pl.LazyFrame], period: Period, by: Breakdown | None) -> pl.DataFrame:
    cell = _hour_cell(pl.col("hour")) if by is Breakdown.HOUR else _day_cell(by)
    return (
        _of_period(facts[FigureTable.GYM_HOURS], period)
        .with_columns(cell.alias("cell"))
        .group_by("gym_id", "cell")
        .agg(visits=pl.col("entries").sum().cast(pl.Int64))
        .collect()
    )


def _with_cell(days: pl.LazyFrame, by: Breakdown | None) -> pl.LazyFrame:
    """Member days with their cell; for hours one row for each hour in which a visit began."""
    if by is not Breakdown.HOUR:
        return days.with_columns(_day_cell(by).alias("cell"))
    hours = pl.LazyFrame({"hour": list(range(24)), "bit": [1 << hour for hour in range(24)]}).cast(pl.Int32)
    mask = pl.col("entry_hours")
    # The lowest hour of the first day is that of the first visit.
    of_hour = days.join(hours, how="cross").filter((mask & pl.col("bit")) != 0)
    return of_hour.with_columns(
        _hour_cell(pl.col("hour")).alias("cell"),
        is_first=pl.col("is_first") & ((mask & (pl.col("bit") - 1)) == 0),
    )


def _hour_cell(hour: pl.Expr) -> pl.Expr:
    return hour.cast(pl.String).str.zfill(2)


def _day_cell(by: Breakdown | None) -> pl.Expr:
    day = pl.col("day")
    match by:
        case Breakdown.WEEKDAY:
            return (day.dt.weekday() - 1).cast(pl.String)
        case Breakdown.DAY:
            return day.dt.strftime("%Y-%m-%d")
        case Breakdown.WEEK:
            return day.dt.strftime("%G-W%V")
        case Breakdown.MONTH:
            return day.dt.strftime("%Y-%m")
        case _:
            return pl.lit(None, dtype=pl.String)


def _of_period(facts: pl.LazyFrame, period: Period) -> pl.LazyFrame:
    return facts.filter(pl.col("day").is_between(period.first_day, period.last_day))
