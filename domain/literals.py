"""Values written into SQL text.

The door decides in batches, and binding some hundred values one by one costs more than the database needs for the whole
batch (docs/benchmarks.md). So its statements are text with these literals in them. Nothing that a client chose is ever
written here: ids become hexadecimal digits, times and numbers digits, words are those of our own enumerations.
Strings from outside are bound.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

NULL = "NULL"


def id_literal(value: UUID | None) -> str:
    """A `domain.column_types.Id`."""
    return NULL if value is None else f"x'{value.int:032x}'"


def id_literals(values: Iterable[UUID]) -> str:
    """Ids in ascending order, as the inside of `IN (…)`: rows are locked in the order of their ids."""
    return ",".join([f"x'{number:032x}'" for number in sorted([value.int for value in values])])


def instant_literal(value: datetime | None) -> str:
    """A `domain.column_types.Instant`.

    Raises:
        ValueError: on a time without a zone; it could mean anything.
    """
    if value is None:
        return NULL
    if value.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f"'{moment.replace(tzinfo=None).isoformat(' ', 'microseconds')}'"


def day_literal(value: date) -> str:
    """A day as `opening_exceptions` has it."""
    return f"'{value.isoformat()}'"


def word_literal(value: StrEnum | None) -> str:
    """A word of our own: never a client's string."""
    return NULL if value is None else f"'{value.value}'"


def pairs_literal(connection: Connection, pairs: Sequence[str]) -> str:
    """What follows `(a, b) IN`, as each dialect has it.

    Args:
        pairs: literals, each in its brackets.
    """
    listed = ",".join(pairs)
    return f"(VALUES {listed})" if connection.dialect.name == "sqlite" else f"({listed})"


def read_id(value: bytes | None) -> UUID | None:
    """An id as the driver gives it."""
    return None if value is None else UUID(bytes=value)


def read_instant(value: datetime | str | None) -> datetime | None:
    """A time as the driver gives it: MySQL's as a `datetime`, SQLite's as text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return None if value is None else value.replace(tzinfo=UTC)
