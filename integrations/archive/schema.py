"""Tables of the attendance archive and their columns.

Every row is one version of a fact, with the fact's whole state. The version with the greatest (source, offset) counts;
an end, an annulment or a correction is one more row. Tables are partitioned by `day`, the UTC day of `day_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl
from deltalake import Field, Schema
from deltalake.schema import PrimitiveType

DAY: Final = "day"
"""Partition column of every table."""
VERSION: Final = ("source", "offset")
"""The greatest of these is a fact's current version. Source 0 was read from the database, 1 and later from Kafka."""

_TEXT, _LONG, _INT, _BOOL = pl.String(), pl.Int64(), pl.Int32(), pl.Boolean()
_TIME = pl.Datetime("us", "UTC")
_COMMON: Final[Mapping[str, pl.DataType]] = MappingProxyType(
    {"source": _LONG, "partition": _INT, "offset": _LONG, "event_id": _TEXT, "annulled": _BOOL}
)
_DELTA_TYPES: Final[Mapping[pl.DataType, str]] = MappingProxyType(
    {_TEXT: "string", _LONG: "long", _INT: "integer", _BOOL: "boolean", _TIME: "timestamp", pl.Date(): "date"}
)


@dataclass(frozen=True, slots=True)
class ArchiveTable:
    """One table of the archive.

    Args:
        name: also the folder of the table, below the archive's.
        key: the column that identifies a fact.
        day_of: the time whose UTC day is the partition.
        columns: name and type of every column except `day`, in order.
        nullable: columns that may be null.
    """

    name: str
    key: str
    day_of: str
    columns: Mapping[str, pl.DataType]
    nullable: frozenset[str]

    @property
    def frame_schema(self) -> pl.Schema:
        """Columns of a frame that is appended; `day` is the last one."""
        return pl.Schema({**self.columns, DAY: pl.Date()})

    @property
    def delta_schema(self) -> Schema:
        """The schema that the Delta Lake table is created with."""
        return Schema(
            [
                Field(name, PrimitiveType(_DELTA_TYPES[kind]), nullable=name in self.nullable)
                for name, kind in self.frame_schema.items()
            ]
        )

    def with_day(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with its columns in order and the partition column computed."""
        return frame.with_columns(pl.col(self.day_of).dt.date().alias(DAY)).select(self.frame_schema.names())

    def url(self, archive_url: str) -> str:
        """Where the table is stored: a folder or an `s3://` address."""
        return f"{archive_url.rstrip('/')}/{self.name}"


def _table(name: str, key: str, day_of: str, columns: Mapping[str, pl.DataType], nullable: str = "") -> ArchiveTable:
    all_columns = MappingProxyType({**_COMMON, key: _TEXT, "gym_id": _TEXT, **columns})
    return ArchiveTable(name, key, day_of, all_columns, frozenset({"event_id", *nullable.split()}))


VISITS: Final = _table(
    "visits",
    "visit_id",
    "entered_at",
    {"member_key": _LONG, "entered_at": _TIME, "left_at": _TIME, "inferred": _TEXT},
    nullable="member_key left_at inferred",
)
SCANS: Final = _table(
    "scans",
    "scan_id",
    "decided_at",
    {
        "gate_id": _TEXT,
        "member_key": _LONG,
        "outcome": _TEXT,
        "reason": _TEXT,
        "offline": _BOOL,
        "scanned_at": _TIME,
        "arrived_at": _TIME,
        "decided_at": _TIME,
        "visit_id": _TEXT,
        "repeat": _BOOL,
    },
    nullable="gate_id member_key reason scanned_at visit_id",
)
MACHINE_USES: Final = _table(
    "machine_uses",
    "use_id",
    "started_at",
    {"machine_id": _TEXT, "member_key": _LONG, "started_at": _TIME, "ended_at": _TIME, "inferred": _TEXT},
    nullable="member_key ended_at inferred",
)
HEAD_COUNTS: Final = _table(
    "head_counts", "count_id", "counted_at", {"before": _INT, "counted": _INT, "counted_at": _TIME}
)
TABLES: Final = (VISITS, SCANS, MACHINE_USES, HEAD_COUNTS)
