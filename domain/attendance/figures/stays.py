"""Facts about how long visits last. Only ended visits count, on the local day on which they began."""

from typing import Final

import polars as pl

from domain.attendance.calendar import LocalClock

BUCKET_MINUTES: Final = 15
LAST_BUCKET: Final = 16
"""Of the distribution: four hours and more."""
ALL_BUCKETS: Final = -1
_US_PER_MINUTE: Final = 60_000_000


def stays(visits: pl.DataFrame, clock: LocalClock) -> pl.DataFrame:
    """Ended visits per gym, day, kind of ending and whole minutes.

    Args:
        visits: the visits that began in the window.
    """
    return (
        _ended(visits, clock.day(pl.col("entered_at")).alias("day"))
        .group_by("gym_id", "day", "inferred", "minutes")
        .agg(visits=pl.len().cast(pl.Int32))
        .collect()
    )


def stay_people(visits: pl.DataFrame) -> pl.DataFrame:
    """How many different people each step of the distribution is about, and all of them (bucket -1).

    A visit without a member counts as a person.
    """
    ended = _ended(visits, pl.col("member_key")).with_columns(bucket=bucket(pl.col("minutes")))
    members = pl.col("member_key")
    people = (members.drop_nulls().n_unique() + members.null_count()).cast(pl.Int32).alias("people")
    in_buckets = ended.group_by("gym_id", "inferred", "bucket").agg(people)
    in_all = ended.group_by("gym_id", "inferred").agg(people).with_columns(bucket=pl.lit(ALL_BUCKETS, dtype=pl.Int8))
    return pl.concat([in_buckets, in_all.select(in_buckets.collect_schema().names())]).collect()


def bucket(minutes: pl.Expr) -> pl.Expr:
    """The step of the distribution."""
    return (minutes // BUCKET_MINUTES).clip(0, LAST_BUCKET).cast(pl.Int8)


def _ended(visits: pl.DataFrame, *others: pl.Expr) -> pl.LazyFrame:
    length = (pl.col("left_at") - pl.col("entered_at")).cast(pl.Int64)
    return (
        visits.lazy()
        .filter(pl.col("left_at").is_not_null())
        .select(
            "gym_id",
            *others,
            inferred=pl.col("inferred").is_not_null(),
            minutes=(length // _US_PER_MINUTE).cast(pl.Int32),
        )
    )
