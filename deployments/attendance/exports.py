"""Exports of reports as CSV."""

from decimal import Decimal

import polars as pl
from polars import selectors

from integrations.rendering.csv_tables import Cell, csv_table


def report_csv(rows: pl.DataFrame) -> bytes:
    """The rows of a report, with its column names. Text that a spreadsheet would run is neutralised.

    Fractions have six digits; figures that are hidden or do not exist are empty.
    """
    shown = rows.with_columns(selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return csv_table([shown.columns, *([_cell(value) for value in row] for row in shown.iter_rows())])


def _cell(value: object) -> Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return Decimal(f"{value:.6f}").normalize() + 0
    assert value is None or isinstance(value, Cell)  # noqa: S101 - reports have no other types
    return value
