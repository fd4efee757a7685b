"""Reads hourly occupancy from a Parquet file, for the forecast."""

from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from domain.attendance.forecast.model import DAY_HOURS, Calendar, History

_COLUMNS = {
    "gym": "the gym's name",
    "hour_local": "the hour on the gym's own clock",
    "mean_inside": "the mean number of people inside during that hour",
    "observed": "whether it was measured",
}
_LONGEST = timedelta(days=20 * 366)
_MOST_CELLS = 100_000_000


class OccupancyFileError(ValueError):
    """A file cannot be read as occupancy.

    Args:
        message: what is wrong.
        hint: what to do.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint


def read_history(file: Path, calendar: Calendar | None = None) -> History:
    """Read a file as a grid of gyms and local hours.

    The order of rows does not matter. Rows of the same gym and hour are averaged, the observed ones if there are any;
    so are the two hours of one name when clocks go back. Hours without a row are not observed, nor are values that are
    null, NaN, infinite or negative. Times with a zone count as that zone's local time.

    Args:
        file: Parquet, with columns `gym` `hour_local` `mean_inside` `observed`.
        calendar: public holidays that the history is to have.

    Raises:
        OccupancyFileError: it is not Parquet, lacks a column, has a column of the wrong type, or no usable row.
    """
    try:
        frame = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OccupancyFileError(f"{file} cannot be read as Parquet ({reason})", "name a Parquet file") from error
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        needed = ", ".join(f"{name} ({_COLUMNS[name]})" for name in missing)
        present = ", ".join(frame.columns) or "none"
        raise OccupancyFileError(
            f"{file} has no column {', '.join(missing)}; its columns are: {present}", f"add or rename columns: {needed}"
        )
    rows = frame.select(_gym(frame), _hour(frame), _inside(frame), _observed(frame))
    return _grid(rows.drop_nulls(["gym", "hour"]), file, calendar or Calendar())


def _gym(frame: pl.DataFrame) -> pl.Series:
    column = frame["gym"]
    if column.dtype.is_nested():
        raise _wrong_type("gym", column, "text or a number")
    return column.cast(pl.String, strict=False).alias("gym")


def _hour(frame: pl.DataFrame) -> pl.Series:
    column = frame["hour_local"]
    if isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        try:
            column = column.str.to_datetime(time_unit="us", strict=True)
        except pl.exceptions.PolarsError as error:
            raise _wrong_type("hour_local", column, "a date with a time, as text like 2026-03-01T13:00") from error
    if not isinstance(column.dtype, pl.Datetime):
        raise _wrong_type("hour_local", column, "a date with a time")
    return column.dt.replace_time_zone(None).cast(pl.Datetime("us")).dt.truncate("1h").alias("hour")


def _inside(frame: pl.DataFrame) -> pl.Series:
    column = frame["mean_inside"]
    if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)):
        raise _wrong_type("mean_inside", column, "a number")
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count() > column.null_count():
        raise _wrong_type("mean_inside", column, "a number")
    return pl.select(pl.when(numbers.is_finite() & (numbers >= 0)).then(numbers).alias("inside")).to_series()


def _observed(frame: pl.DataFrame) -> pl.Series:
    column = frame["observed"]
    if not (column.dtype in (pl.Boolean, pl.Null) or column.dtype.is_integer()):
        raise _wrong_type("observed", column, "true or false")
    observed = column.cast(pl.Boolean).fill_null(value=False)
    return observed.alias("observed")


def _grid(rows: pl.DataFrame, file: Path, calendar: Calendar) -> History:
    first, last = rows["hour"].min(), rows["hour"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise OccupancyFileError(f"{file} has no row with a gym and an hour", "name a file that has some")
    start = datetime.combine(first.date(), time())
    hours = ((last.date() - start.date()).days + 1) * DAY_HOURS
    gyms = rows["gym"].unique().sort().to_list()
    if last - first > _LONGEST or len(gyms) * hours > _MOST_CELLS:
        raise OccupancyFileError(
            f"{file} spans {len(gyms)} gyms from {first:%Y-%m-%d} to {last:%Y-%m-%d}, which is too much",
            "check hour_local, or split the file; at most 20 years and 100 million gym hours are read",
        )
    rows = rows.with_columns((pl.col("observed") & pl.col("inside").is_not_null()).alias("observed"))
    cells = rows.group_by("gym", "hour").agg(
        pl.col("observed").any(),
        pl.when(pl.col("observed").any())
        .then(pl.col("inside").filter(pl.col("observed")).mean())
        .otherwise(pl.col("inside").mean())
        .alias("inside"),
    )
    numbers = {gym: number for number, gym in enumerate(gyms)}
    row = cells["gym"].replace_strict(numbers, return_dtype=pl.Int64).to_numpy()
    column = ((cells["hour"] - start).dt.total_hours()).to_numpy()
    values = np.full((len(gyms), hours), np.nan)
    observed = np.zeros((len(gyms), hours), dtype=np.bool_)
    values[row, column] = cells["inside"].fill_null(float("nan")).to_numpy()
    observed[row, column] = cells["observed"].to_numpy()
    return History(gyms, start, values, observed, calendar)


def _wrong_type(name: str, column: pl.Series, expected: str) -> OccupancyFileError:
    return OccupancyFileError(f"column {name} is {column.dtype}", f"it must be {expected} ({_COLUMNS[name]})")
