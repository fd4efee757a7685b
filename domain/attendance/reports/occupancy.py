"""Report: how many people were inside a gym during one day, in steps of five minutes."""

from datetime import date, datetime

import polars as pl

from domain.attendance.calendar import five_minutes
from domain.attendance.figures.steps import inside_by_slot
from domain.attendance.model import GymCalendar
from domain.attendance.privacy import HIDDEN, hide_small_groups


def occupancy(visits: pl.DataFrame, gym: GymCalendar, day: date, as_of: datetime) -> pl.DataFrame:
    """The occupancy of a local day until `as_of`.

    Args:
        visits: of this gym, every visit that touches the day.

    Returns:
        `minute` (of the day, by the clock), `starts_at` (UTC), `min_inside`, `mean_inside`, `max_inside`, `hidden`.
        A time at which fewer than five people were inside is hidden unless nobody was.
    """
    slots = five_minutes(gym.time_zone, day, as_of)
    figures = ["min_inside", "mean_inside", "max_inside"]
    if slots.is_empty():
        return slots.select("minute", "starts_at").with_columns(
            *(pl.lit(None, dtype=pl.Float64).alias(name) for name in figures), pl.lit(value=False).alias(HIDDEN)
        )
    places = pl.DataFrame({"gym_id": [gym.gym_id], "capacity": [gym.capacity]})
    stays = visits.select("gym_id", begins_at="entered_at", ends_at="left_at")
    rows = slots.join(inside_by_slot(stays, slots, places, "gym_id"), on="starts_at", maintain_order="left")
    length = (pl.col("ends_at") - pl.col("starts_at")).cast(pl.Int64)
    shown = rows.select(
        "minute", "starts_at", "min_inside", (pl.col("inside_us") / length).alias("mean_inside"), "max_inside"
    ).with_columns(people=pl.col("max_inside"))
    return hide_small_groups(shown, "people", figures).drop("people")
