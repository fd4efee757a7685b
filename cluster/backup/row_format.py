"""How a row is written in a backup: a JSON array that is the same for every kind of database."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from types import GenericAlias
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy import Boolean, Column, Integer, String, Text
from sqlalchemy.types import TypeEngine

from domain.column_types import Id, Instant

Row: TypeAlias = tuple[Any, ...]


class Kind(StrEnum):
    """The type of a column."""

    ID = "id"  # a UUID as RFC 9562 writes it
    INSTANT = "instant"  # RFC 3339 in UTC, with microseconds
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


_PYTHON: dict[Kind, Any] = {
    Kind.ID: UUID,
    Kind.INSTANT: datetime,
    Kind.INTEGER: int,
    Kind.BOOLEAN: bool,
    Kind.TEXT: str,
}
_SQL: dict[Kind, TypeEngine[Any]] = {
    Kind.ID: Id(),
    Kind.INSTANT: Instant(),
    Kind.INTEGER: Integer(),
    Kind.BOOLEAN: Boolean(),
    Kind.TEXT: Text(),
}


def kind_of(column: Column[Any]) -> Kind:
    """The kind of a column of the database.

    Raises:
        TypeError: backups have no kind for its type yet.
    """
    for kind, types in (
        (Kind.ID, Id),
        (Kind.INSTANT, Instant),
        (Kind.BOOLEAN, Boolean),
        (Kind.INTEGER, Integer),
        (Kind.TEXT, String),
    ):
        if isinstance(column.type, types):
            return kind
    raise TypeError(f"backups have no kind for the type of {column}: {column.type!r}")


def sql_type(kind: Kind) -> TypeEngine[Any]:
    """The SQL type that writes a value of this kind into any database."""
    return _SQL[kind]


class RowFormat:
    """Converts rows to lines of JSON and back. A line is an array in the order of the table's columns.

    Args:
        kinds: of the columns.
    """

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._encoder = msgspec.json.Encoder()
        row: Any = GenericAlias(tuple, tuple(_PYTHON[kind] | None for kind in kinds))
        self._decoder: msgspec.json.Decoder[Row] = msgspec.json.Decoder(row)

    def encode(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Rows as lines, each with its line end."""
        return self._encoder.encode_lines(rows)

    def decode(self, lines: bytes) -> list[Row]:
        """The rows of complete lines.

        Raises:
            msgspec.DecodeError: a line is not JSON, or does not fit the columns.
        """
        return self._decoder.decode_lines(lines)
