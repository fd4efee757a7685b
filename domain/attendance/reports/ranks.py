"""Medians and percentiles by nearest rank: always a value that occurs, and the same in every engine."""

import polars as pl


def nearest_rank(values: pl.Expr, tenths: int) -> pl.Expr:
    """The smallest value that so many tenths of the values do not exceed."""
    return values.sort().get((values.len() * tenths + 9) // 10 - 1)


def weighted_rank(values: pl.Expr, weights: pl.Expr, tenths: int) -> pl.Expr:
    """The same for values that occur several times; the values are in ascending order."""
    return values.filter(weights.cum_sum() * 10 >= weights.sum() * tenths).first()
