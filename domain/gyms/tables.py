"""Tables of gyms, gates and devices."""

from sqlalchemy import Column, ForeignKey, Index, Integer, SmallInteger, String, Table

from domain.column_types import Id, Instant, code
from domain.metadata import metadata

gyms = Table(
    "gyms",
    metadata,
    Column("id", Id, primary_key=True),
    Column("legacy_number", Integer, nullable=False, unique=True),  # what the existing web client calls a gym
    Column("company_id", Id, ForeignKey("companies.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("address", String(500), nullable=False),
    Column("time_zone", code(64), nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("reentry_after_s", Integer),  # null: entering while inside is always refused
    Column("grace_after_closing_s", Integer, nullable=False),
    Column("longest_visit_s", Integer, nullable=False),
    Column("longest_use_s", Integer, nullable=False, server_default="7200"),  # of a machine
    Column("retired_at", Instant),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
)


opening_hours = Table(
    "opening_hours",
    metadata,
    Column("id", Id, primary_key=True),
    Column("gym_id", Id, ForeignKey("gyms.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("weekday", SmallInteger, nullable=False),  # 0 is Monday
    Column("opens_minute", SmallInteger, nullable=False),  # minutes after local midnight
    Column("closes_minute", SmallInteger, nullable=False),  # past 1440: after midnight of the next day
)


# A day of the gym's own calendar that is not as its weekday is: one row for each span, or a single one without a span.
opening_exceptions = Table(
    "opening_exceptions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("gym_id", Id, ForeignKey("gyms.id", ondelete="CASCADE"), nullable=False),
    Column("day", code(10), nullable=False),  # 2026-12-25
    Column("opens_minute", SmallInteger),  # null: closed all day
    Column("closes_minute", SmallInteger),
    Column("note", String(200), nullable=False),
    Index("ix_opening_exceptions_gym_id_day", "gym_id", "day"),
)


gates = Table(
    "gates",
    metadata,
    Column("id", Id, primary_key=True),
    Column("gym_id", Id, ForeignKey("gyms.id"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("serves", code(8), nullable=False),  # in, out, both
    Column("retired_at", Instant),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", Instant, nullable=False),
)


gate_devices = Table(
    "gate_devices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("gate_id", Id, ForeignKey("gates.id"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("secret_hash", code(64), nullable=False),  # SHA-256, hexadecimal, of 256 random bits
    Column("revoked_at", Instant),
    Column("last_seen_at", Instant),  # by the server's clock, some seconds late
    Column("clock_skew_ms", Integer),  # of the device's clock when it last sent the time; positive: fast
    Column("created_at", Instant, nullable=False),
)


# Codes that become a device when they are claimed.
device_pairings = Table(
    "device_pairings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("code_hash", code(64), nullable=False, unique=True),
    Column("gate_id", Id, ForeignKey("gates.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("created_by", Id, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("device_id", Id),  # null: nobody has shown it yet
)
