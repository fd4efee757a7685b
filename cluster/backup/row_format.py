"""How the values of a row are written in a backup: the same from every kind of store."""

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
    """What a column holds."""

    ID = "id"  # a UUID as RFC 9562 writes it
    INSTANT = "instant"  # RFC 3339 in UTC, with its microseconds
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
    """What a column of the store holds.

    Raises:
        TypeError: a type that no backup has had yet; it needs a kind of its own.
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
    raise TypeError(f"{column} has a type that a backup does not know: {column.type!r}")


def sql_type(kind: Kind) -> TypeEngine[Any]:
    """By which type such a value is written into any store."""
    return _SQL[kind]


class RowsAsText:
    """Rows to lines of JSON and back: each an array, in the order of the table's columns.

    Args:
        kinds: of the columns.
    """

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._encoder = msgspec.json.Encoder()
        row: Any = GenericAlias(tuple, tuple(_PYTHON[kind] | None for kind in kinds))
        self._decoder: msgspec.json.Decoder[Row] = msgspec.json.Decoder(row)

    def encode(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Whole lines, each with its end."""
        return self._encoder.encode_lines(rows)

    def decode(self, lines: bytes) -> list[Row]:
        """The rows of whole lines.

        Raises:
            msgspec.DecodeError: a line is none, or does not fit its columns.
        """
        return self._decoder.decode_lines(lines)
