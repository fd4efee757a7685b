"""Hides figures about fewer than five people, and what would give them away by subtraction."""

from collections.abc import Sequence

import polars as pl

from domain.attendance.model import SMALLEST_GROUP

HIDDEN = "hidden"
"""Column that says whether the figures of a row were removed."""


def hide_small_groups(
    rows: pl.DataFrame, people: str, figures: Sequence[str], parts_of: Sequence[str] | None = None
) -> pl.DataFrame:
    """Remove the figures of rows about one to four people.

    Where the rows are the parts of a total that is shown too, the smallest other part is also removed: the total minus
    the parts that are shown is then about five people or more. If every part is small, all are removed.

    Args:
        people: column with the number of different people, or fewer where that is unknown; never more.
        figures: columns to remove, `people` among them if it is shown.
        parts_of: columns of the total; None: no total of these rows is shown.

    Returns:
        The rows in their order, with a column `hidden`.
    """
    number = pl.col(people)
    is_small = number.is_between(1, SMALLEST_GROUP - 1)
    if parts_of is None:
        is_hidden = is_small
    else:
        over = list(parts_of)
        others = pl.when(number >= SMALLEST_GROUP).then(number)
        # Of equal ones the first in the order of the rows.
        rank = others.rank("ordinal")
        smallest_other = (rank == rank.min()).fill_null(value=False)
        needs_other = is_small.any()
        is_hidden = is_small | (needs_other & smallest_other)
        is_hidden = is_hidden.over(over) if over else is_hidden
    hidden = rows.with_columns(is_hidden.fill_null(value=False).alias(HIDDEN))
    return hidden.with_columns(pl.when(~pl.col(HIDDEN)).then(pl.col(name)).alias(name) for name in figures)
