"""The tables of the archive: columns, keys, and facts as rows. See docs/attendance-archive.md for each column."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import polars as pl
from deltalake import Field, Schema
from deltalake.schema import PrimitiveType

from domain.attendance.facts import ArchivedFact, ArchiveTable

DAY, SOURCE, PARTITION, OFFSET, EVENT_ID, ANNULLED = "day", "source", "partition", "offset", "event_id", "annulled"
MEMBER_KEY = "member_key"
FROM_DATABASE = 0
"""The source of rows that were read from the database. Their offset is the time of reading in microseconds."""

_MOMENT = pl.Datetime("us", "UTC")
_COMMON = {SOURCE: pl.Int64(), PARTITION: pl.Int32(), OFFSET: pl.Int64(), EVENT_ID: pl.String()}
_DELTA_TYPES: Mapping[Any, str] = {
    pl.Int64(): "long",
    pl.Int32(): "integer",
    pl.String(): "string",
    pl.Boolean(): "boolean",
    pl.Date(): "date",
    _MOMENT: "timestamp",
}


@dataclass(frozen=True, slots=True)
class TableShape:
    """The columns of one table, without `day`.

    Args:
        key: the column with the id of the fact.
        columns: of the fact; the names of its fields.
    """

    name: ArchiveTable
    key: str
    columns: Mapping[str, pl.DataType]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """All columns, as Polars has them."""
        return {**_COMMON, self.key: pl.String(), **self.columns, DAY: pl.Date()}

    @property
    def delta_schema(self) -> Schema:
        """All columns, as Delta Lake has them."""
        return Schema([Field(name, PrimitiveType(_DELTA_TYPES[kind])) for name, kind in self.schema.items()])

    @property
    def values(self) -> list[str]:
        """The columns that say something about the fact, and not about its way into the archive."""
        return [self.key, *self.columns]


class Position(NamedTuple):
    """Where a version of a fact comes from. The version with the greatest source and offset counts."""

    source: int
    partition: int
    offset: int
    event_id: str | None


SHAPES: Mapping[ArchiveTable, TableShape] = {
    shape.name: shape
    for shape in (
        TableShape(
            ArchiveTable.VISITS,
            "visit_id",
            {
                "gym_id": pl.String(),
                MEMBER_KEY: pl.Int64(),
                "entered_at": _MOMENT,
                "left_at": _MOMENT,
                "inferred": pl.String(),
                ANNULLED: pl.Boolean(),
            },
        ),
        TableShape(
            ArchiveTable.SCANS,
            "scan_id",
            {
                "gym_id": pl.String(),
                "gate_id": pl.String(),
                MEMBER_KEY: pl.Int64(),
                "outcome": pl.String(),
                "reason": pl.String(),
                "offline": pl.Boolean(),
                "scanned_at": _MOMENT,
                "arrived_at": _MOMENT,
                "decided_at": _MOMENT,
                "visit_id": pl.String(),
                "repeat": pl.Boolean(),
                ANNULLED: pl.Boolean(),
            },
        ),
        TableShape(
            ArchiveTable.MACHINE_USES,
            "use_id",
            {
                "gym_id": pl.String(),
                "machine_id": pl.String(),
                MEMBER_KEY: pl.Int64(),
                "started_at": _MOMENT,
                "ended_at": _MOMENT,
                "inferred": pl.String(),
                ANNULLED: pl.Boolean(),
            },
        ),
        TableShape(
            ArchiveTable.HEAD_COUNTS,
            "count_id",
            {
                "gym_id": pl.String(),
                "before": pl.Int32(),
                "counted": pl.Int32(),
                "counted_at": _MOMENT,
                ANNULLED: pl.Boolean(),
            },
        ),
    )
}


def frame_of(
    table: ArchiveTable, versions: Iterable[tuple[Position, ArchivedFact]], keys: Mapping[UUID, int]
) -> pl.DataFrame:
    """Versions of facts as rows.

    Args:
        keys: by member; a member without one is written as null.
    """
    shape = SHAPES[table]
    rows = [
        (*position, str(fact.id), *(_value(fact, name, keys) for name in shape.columns), fact.day)
        for position, fact in versions
    ]
    return pl.DataFrame(rows, schema=shape.schema, orient="row")


def _value(fact: ArchivedFact, column: str, keys: Mapping[UUID, int]) -> object:
    if column == MEMBER_KEY:
        return keys.get(fact.member_id) if fact.member_id is not None else None
    value = getattr(fact, column)
    return str(value) if isinstance(value, UUID) else value
