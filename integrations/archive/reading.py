"""Reads the archive. Every computation uses `facts`: it drops repeats, superseded versions and annulled facts."""

from datetime import date

import polars as pl

from domain.attendance.facts import FactTable
from integrations.archive.delta_table import DeltaStore
from integrations.archive.rows import ANNULLED, SHAPES
from integrations.archive.schema import DAY, VERSION


def facts(store: DeltaStore, table: FactTable, first: date, last: date) -> pl.LazyFrame:
    """The facts of some days as they stand: one row per fact, without annulled ones.

    Args:
        first, last: the days in UTC, both included.

    Raises:
        ArchiveUnavailableError: the storage does not respond.
    """
    return standing(versions(store, table, first, last), table)


def versions(store: DeltaStore, table: FactTable, first: date, last: date) -> pl.LazyFrame:
    """All stored versions of the facts of some days, repeats included."""
    return store.scan(table).filter(pl.col(DAY).is_between(first, last))


def standing(rows: pl.LazyFrame, table: FactTable) -> pl.LazyFrame:
    """The last version of each fact, without annulled ones."""
    return latest(rows, table).filter(~pl.col(ANNULLED))


def latest(rows: pl.LazyFrame, table: FactTable) -> pl.LazyFrame:
    """The last version of each fact.

    The outbox may publish an event again at a later offset, so only its first appearance counts. A fact that moved to
    another day is annulled on its former day, so that each day can be read by itself.
    """
    fact = [DAY, SHAPES[table].key]
    # Rows from the database are no repeats of each other.
    event = pl.coalesce("event_id", pl.col("offset").cast(pl.String)).alias("_event")
    return (
        rows.with_columns(event)
        .sort(VERSION)
        .unique([*fact, "_event"], keep="first", maintain_order=True)
        .unique(fact, keep="last", maintain_order=True)
        .drop("_event")
    )
