"""Tables of the attendance archive: keys of members, incarnations of topics, days that were verified."""

from sqlalchemy import BigInteger, Column, Integer, Table, UniqueConstraint
from sqlalchemy.dialects import sqlite

from domain.column_types import Id, Instant, code
from domain.metadata import metadata

# The archive holds the key and never the id. Without its row here, a key names nobody.
member_keys = Table(
    "member_keys",
    metadata,
    Column("member_id", Id, primary_key=True),
    Column(
        "member_key",
        BigInteger().with_variant(sqlite.INTEGER(), "sqlite"),
        nullable=False,
        unique=True,
        autoincrement=False,
    ),
)


# Offsets of a topic begin at zero again when it is made anew. The number orders its incarnations.
archive_sources = Table(
    "archive_sources",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("topic", code(249), nullable=False),
    Column("incarnation", code(128), nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    UniqueConstraint("topic", "incarnation"),
)


# A day whose files are others than those that were verified has changed since.
archive_days = Table(
    "archive_days",
    metadata,
    Column("table_name", code(16), primary_key=True),
    Column("day", code(10), primary_key=True),  # ISO 8601
    Column("files", code(64), nullable=False),  # SHA-256 of the names of its files
    Column("verified_at", Instant, nullable=False),
)
