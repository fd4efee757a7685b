"""Facts of the door as rows of the archive, each with its position."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import polars as pl

from domain.attendance.facts import ArchivedFact, FactTable
from integrations.archive.schema import TABLES, ArchiveTable

MEMBER_KEY, ANNULLED = "member_key", "annulled"
SHAPES: Mapping[FactTable, ArchiveTable] = {FactTable(table.name): table for table in TABLES}

_FROM_DATABASE = 0
_OF_POSITION = 4  # columns
_FORMER_DAY = "-former-day"
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    """Where a version of a fact comes from. The version with the greatest source and offset counts."""

    source: int
    partition: int
    offset: int
    event_id: str | None


def frame_of(
    table: FactTable, versions: Iterable[tuple[Position, ArchivedFact]], keys: Mapping[UUID, int]
) -> pl.DataFrame:
    """Versions of facts as rows.

    Args:
        keys: by member; a member without one is written as null.
    """
    shape = SHAPES[table]
    names = list(shape.columns)[_OF_POSITION:]
    rows: list[tuple[object, ...]] = []
    previous: tuple[Position, ArchivedFact] | None = None
    for position, fact in versions:
        is_second = previous is not None and (previous[0], previous[1].id) == (position, fact.id)
        previous = position, fact
        if is_second:
            # The one before annuls the fact on its former day. It is no repeat of this row.
            rows[-1] = (*rows[-1][: _OF_POSITION - 1], f"{position.event_id}{_FORMER_DAY}", *rows[-1][_OF_POSITION:])
        rows.append((*position, *(_value(fact, name, shape.key, keys) for name in names), fact.day))
    return pl.DataFrame(rows, schema=shape.frame_schema, orient="row")


def database_rows(
    table: FactTable, facts: Sequence[ArchivedFact], keys: Mapping[UUID, int], read_at: datetime
) -> pl.DataFrame:
    """Facts that were read from the database as rows. They lose against every row from Kafka."""
    position = Position(_FROM_DATABASE, 0, (read_at - _EPOCH) // _MICROSECOND, None)
    return frame_of(table, ((position, fact) for fact in facts), keys)


def values_of(table: FactTable) -> list[str]:
    """The columns that say something about the fact, and not about its way into the archive."""
    return list(SHAPES[table].columns)[_OF_POSITION:]


def empty(table: FactTable) -> pl.LazyFrame:
    """A table without rows."""
    return pl.LazyFrame(schema=SHAPES[table].frame_schema)


def _value(fact: ArchivedFact, column: str, key: str, keys: Mapping[UUID, int]) -> object:
    if column == MEMBER_KEY:
        return keys.get(fact.member_id) if fact.member_id is not None else None
    value = fact.id if column == key else getattr(fact, column)
    return str(value) if isinstance(value, UUID) else value
