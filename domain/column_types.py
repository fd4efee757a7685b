"""Column types with the same meaning on SQLite, MariaDB and MySQL."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Dialect, LargeBinary, String
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine


class Id(TypeDecorator[UUID]):
    """A UUID in 16 bytes."""

    impl = LargeBinary(16)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """BINARY(16) on MariaDB and MySQL: InnoDB has no index on a BLOB."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.BINARY(16))
        return dialect.type_descriptor(LargeBinary(16))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's signature
        """To the database."""
        return None if value is None else value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """From the database."""
        return None if value is None else UUID(bytes=bytes(value))


class Instant(TypeDecorator[datetime]):
    """An aware time, stored in UTC with microseconds.

    Raises:
        ValueError: the time has no time zone.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATETIME(6), because MySQL's DATETIME has whole seconds."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """From the database."""
        return None if value is None else value.replace(tzinfo=UTC)


# Minor units of a currency, of up to twelve digits. SQLite's INTEGER has 64 bits.
Amount = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def exact(length: int) -> TypeEngine[str]:
    """A text that is compared by code points: a normalised address, a search key."""
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def code(length: int = 32) -> TypeEngine[str]:
    """A short ASCII text that is compared exactly: a reason, a state, an id of a client."""
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
    )
