"""How many stays are under way in each slot of time, exactly, from the moments at which the number changes."""

import polars as pl


def inside_by_slot(stays: pl.DataFrame, slots: pl.DataFrame, places: pl.DataFrame, place: str) -> pl.DataFrame:
    """The number inside over each slot. A stay counts from its beginning until just before its end.

    Args:
        stays: place, `begins_at`, `ends_at` (null: goes on after the last slot).
        slots: `starts_at` and `ends_at`, in order and without gaps.
        places: place and `capacity`, one row each.
        place: name of the column that says where.

    Returns:
        For each place and slot: place, `starts_at`, `inside_us` (time spent inside, in microseconds), `min_inside`,
        `max_inside`, and for how long it was occupied, busy (above 80 % of the capacity) and full.
    """
    begin, end = slots["starts_at"][0], slots["ends_at"][-1]
    within = stays.select(
        place,
        pl.max_horizontal("begins_at", pl.lit(begin, dtype=slots.schema["starts_at"])).alias("begins_at"),
        pl.min_horizontal(pl.col("ends_at").fill_null(end), pl.lit(end, dtype=slots.schema["starts_at"])).alias(
            "ends_at"
        ),
    ).filter(pl.col("begins_at") < pl.col("ends_at"))
    marks = pl.concat([slots.select(at="starts_at"), slots.select(at="ends_at").tail(1)])
    # Every place's changes add up to zero, so one running sum over all places is the number at each.
    changes = pl.concat(
        [
            within.select(place, at="begins_at", change=pl.lit(1, dtype=pl.Int64)),
            within.select(place, at="ends_at", change=pl.lit(-1, dtype=pl.Int64)),
            places.select(place).join(marks, how="cross").with_columns(change=pl.lit(0, dtype=pl.Int64)),
        ]
    ).sort(place, "at")
    levels = (
        changes.lazy()
        .with_columns(
            inside=pl.col("change").cum_sum(),
            lasts=(pl.col("at").shift(-1) - pl.col("at")).cast(pl.Int64),
            starts_at=pl.when(pl.col("change") == 0).then("at").forward_fill(),
        )
        .filter(pl.col("lasts") > 0)  # the next place begins with a negative one
        .join(places.lazy().select(place, "capacity"), on=place)
    )
    inside, lasts, capacity = pl.col("inside"), pl.col("lasts"), pl.col("capacity")
    return (
        levels.group_by(place, "starts_at")
        .agg(
            inside_us=(inside * lasts).sum(),
            min_inside=inside.min().cast(pl.Int32),
            max_inside=inside.max().cast(pl.Int32),
            occupied_us=(lasts * (inside > 0)).sum(),
            busy_us=(lasts * (inside * 5 > capacity * 4)).sum(),
            full_us=(lasts * (inside >= capacity)).sum(),
        )
        .collect()
    )
