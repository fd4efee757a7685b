"""Report: how often members come, and whose rhythm has broken. Rows about one member are for admins."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from domain.attendance.privacy import hide_small_groups

ABSENT_DAYS: Final = 30
RHYTHM_MONTHS: Final = 6
RHYTHM_VISITS: Final = 6
BROKEN_AFTER: Final = 3
BROKEN_DAYS: Final = 14

STATES_SCHEMA: Final = pl.Schema({"member_key": pl.Int64, "joined_on": pl.Date, "is_paying": pl.Boolean})
"""What the database knows about members."""


@dataclass(frozen=True, slots=True)
class MembersReport:
    """How often members come.

    Args:
        by_month: for admins: `member_key`, `month` (its first day), `visits`.
        members: for admins: `member_key`, `visits`, `first_day`, `last_day`, `days_since_last`, `rhythm_days`,
            `broken_rhythm`, `reason` (of a broken rhythm, in words), `pays_and_does_not_come`.
        cohorts: `cohort` (first day of the month of joining), `month`, `members`, `active`, `active_share`, `hidden`.
        counts: one row: `members`, `pays_and_does_not_come`, `broken_rhythm`, `hidden` of the first one.
    """

    by_month: pl.DataFrame
    members: pl.DataFrame
    cohorts: pl.DataFrame
    counts: pl.DataFrame


def members_report(
    member_periods: pl.LazyFrame, states: pl.DataFrame, first_day: date, last_day: date
) -> MembersReport:
    """The report of some months.

    Args:
        member_periods: of the chosen gyms, the whole past until `last_day`, in windows that end with their month.
        states: see `STATES_SCHEMA`; members without a visit are in it too. May be empty.
        last_day: rhythms and absences are as of this day.
    """
    months = (
        member_periods.filter(pl.col("first_day") <= last_day)
        .group_by("member_key", pl.col("first_day").dt.month_start().alias("month"))
        .agg(pl.col("visits").sum(), pl.col("first_day").min(), pl.col("last_day").max())
        .collect()
    )
    members = _members(months, states, last_day)
    # `last_day` of the facts may be later than that of the report only within the last month.
    by_month = months.filter(pl.col("month") >= first_day.replace(day=1)).select("member_key", "month", "visits")
    return MembersReport(by_month, members, _cohorts(by_month, members, states), _counts(members))


def _members(months: pl.DataFrame, states: pl.DataFrame, last_day: date) -> pl.DataFrame:
    rhythm_from = _months_earlier(last_day, RHYTHM_MONTHS - 1)
    recent = (
        months.lazy()
        .filter(pl.col("month") >= rhythm_from)
        .group_by("member_key")
        .agg(
            recent_visits=pl.col("visits").sum(),
            recent_first=pl.col("first_day").min(),
            recent_last=pl.col("last_day").max(),
        )
        .filter(pl.col("recent_visits") >= RHYTHM_VISITS)
        .select(
            "member_key",
            rhythm_days=(pl.col("recent_last") - pl.col("recent_first")).dt.total_days()
            / (pl.col("recent_visits") - 1),
        )
    )
    since = (pl.lit(last_day) - pl.col("last_day")).dt.total_days().alias("days_since_last")
    silent, rhythm = pl.col("days_since_last"), pl.col("rhythm_days")
    broken = ((silent > BROKEN_AFTER * rhythm) & (silent >= BROKEN_DAYS)).fill_null(value=False)
    reason = pl.format(
        "Came every {} days until {}, then not for {} days.",
        rhythm.round(1).cast(pl.String),
        pl.col("last_day").dt.strftime("%Y-%m-%d"),
        silent,
    )
    absent = pl.col("is_paying").fill_null(value=False) & (silent.is_null() | (silent >= ABSENT_DAYS))
    return (
        months.lazy()
        .group_by("member_key")
        .agg(pl.col("visits").sum(), pl.col("first_day").min(), pl.col("last_day").max())
        .join(states.lazy(), on="member_key", how="full", coalesce=True)
        .join(recent, on="member_key", how="left")
        .with_columns(pl.col("visits").fill_null(0), since)
        .with_columns(broken_rhythm=broken, pays_and_does_not_come=absent)
        .with_columns(reason=pl.when("broken_rhythm").then(reason))
        .select(
            "member_key",
            "visits",
            "first_day",
            "last_day",
            "days_since_last",
            "rhythm_days",
            "broken_rhythm",
            "reason",
            "pays_and_does_not_come",
        )
        .collect()
    )


def _cohorts(by_month: pl.DataFrame, members: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    of_members = (
        members.lazy()
        .join(states.lazy().select("member_key", "joined_on"), on="member_key", how="left")
        .select("member_key", cohort=pl.coalesce("joined_on", "first_day").dt.month_start())
        .filter(pl.col("cohort").is_not_null())
    )
    sizes = of_members.group_by("cohort").agg(members=pl.len().cast(pl.Int64))
    active = (
        by_month.lazy()
        .join(of_members, on="member_key")
        .group_by("cohort", "month")
        .agg(active=pl.len().cast(pl.Int64))
    )
    rows = active.join(sizes, on="cohort").with_columns(active_share=pl.col("active") / pl.col("members"))
    # The others of the cohort are a group as well.
    fewest = pl.col("active")
    others = pl.col("members") - fewest
    smaller = pl.when((others > 0) & (others < fewest)).then(others).otherwise(fewest)
    shown = rows.with_columns(people=smaller).sort("cohort", "month").collect()
    figures = ["members", "active", "active_share"]
    hidden = hide_small_groups(shown, "people", ["active", "active_share"]).drop("people")
    return hide_small_groups(hidden.drop("hidden"), "members", figures).select("cohort", "month", *figures, "hidden")


def _counts(members: pl.DataFrame) -> pl.DataFrame:
    counted = members.select(
        members=pl.len().cast(pl.Int64),
        pays_and_does_not_come=pl.col("pays_and_does_not_come").sum().cast(pl.Int64),
        broken_rhythm=pl.col("broken_rhythm").sum().cast(pl.Int64),
    )
    for name in ("pays_and_does_not_come", "broken_rhythm"):
        counted = hide_small_groups(counted, name, [name]).drop("hidden")
    return hide_small_groups(counted, "members", counted.columns)


def _months_earlier(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
