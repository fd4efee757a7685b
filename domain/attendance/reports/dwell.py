"""Report: how long visits last."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from domain.attendance.figures.stays import ALL_BUCKETS, BUCKET_MINUTES, bucket
from domain.attendance.privacy import HIDDEN, hide_small_groups
from domain.attendance.reports.ranks import weighted_rank

_FIGURES = ["visits", "median_minutes", "p90_minutes"]


@dataclass(frozen=True, slots=True)
class DwellReport:
    """How long visits last. Visits with an inferred ending have rows of their own.

    Args:
        summary: `gym_id`, `inferred`, `visits`, `median_minutes`, `p90_minutes`, `hidden`.
        distribution: `gym_id`, `inferred`, `from_minutes`, `visits`, `hidden`.
    """

    summary: pl.DataFrame
    distribution: pl.DataFrame


def dwell(stays: pl.LazyFrame, stay_people: pl.LazyFrame, first_day: date, last_day: date) -> DwellReport:
    """The report of some days.

    Args:
        stay_people: of windows within these days. The people of several windows are at least those of the largest.
    """
    minutes, visits = pl.col("minutes"), pl.col("visits")
    counted = (
        stays.filter(pl.col("day").is_between(first_day, last_day))
        .group_by("gym_id", "inferred", "minutes")
        .agg(visits.cast(pl.Int64).sum())
        .sort("gym_id", "inferred", "minutes")
        .collect()
    )
    people = stay_people.group_by("gym_id", "inferred", "bucket").agg(pl.col("people").max()).collect()
    summary = counted.group_by("gym_id", "inferred", maintain_order=True).agg(
        median_minutes=weighted_rank(minutes, visits, tenths=5),
        p90_minutes=weighted_rank(minutes, visits, tenths=9),
        visits=visits.sum(),
    )
    all_people = people.filter(pl.col("bucket") == ALL_BUCKETS).drop("bucket")
    steps = counted.group_by("gym_id", "inferred", bucket(minutes).alias("bucket"), maintain_order=True).agg(
        visits.sum()
    )
    return DwellReport(
        hide_small_groups(
            summary.join(all_people, on=["gym_id", "inferred"], how="left", maintain_order="left"), "people", _FIGURES
        ).select("gym_id", "inferred", *_FIGURES, HIDDEN),
        hide_small_groups(
            steps.join(people, on=["gym_id", "inferred", "bucket"], how="left", maintain_order="left"),
            "people",
            ["visits"],
            ["gym_id", "inferred"],
        ).select(
            "gym_id",
            "inferred",
            (pl.col("bucket").cast(pl.Int32) * BUCKET_MINUTES).alias("from_minutes"),
            "visits",
            HIDDEN,
        ),
    )
