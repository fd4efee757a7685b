"""Values as literals in SQL text.

The door decides in batches. To bind some hundred values one by one takes longer than the database needs for the whole
batch (docs/benchmarks.md), so its statements contain these literals. No text of a client is ever written as a literal:
ids become hexadecimal digits, times and numbers digits, words come from enumerations. Other strings are bound.
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
        ValueError: the time has no time zone.
    """
    if value is None:
        return NULL
    if value.tzinfo is None:
        raise ValueError("a time without a time zone cannot be stored")
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f"'{moment.replace(tzinfo=None).isoformat(' ', 'microseconds')}'"


def day_literal(value: date) -> str:
    """A day as in `opening_exceptions`."""
    return f"'{value.isoformat()}'"


def word_literal(value: StrEnum | None) -> str:
    """A member of an enumeration, never a string of a client."""
    return NULL if value is None else f"'{value.value}'"


def pairs_literal(connection: Connection, pairs: Sequence[str]) -> str:
    """The right side of `(a, b) IN`, by dialect.

    Args:
        pairs: literals, each in parentheses.
    """
    listed = ",".join(pairs)
    return f"(VALUES {listed})" if connection.dialect.name == "sqlite" else f"({listed})"


def read_id(value: bytes | None) -> UUID | None:
    """An id from the driver's value."""
    return None if value is None else UUID(bytes=value)


def read_instant(value: datetime | str | None) -> datetime | None:
    """A time from the driver's value: a `datetime` of MySQL, a text of SQLite."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return None if value is None else value.replace(tzinfo=UTC)
