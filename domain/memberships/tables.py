"""Tables of plans, memberships and their ledger."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, SmallInteger, String, Table, UniqueConstraint, text

from domain.column_types import Amount, Id, Instant, code
from domain.metadata import metadata

plans = Table(
    "plans",
    metadata,
    Column("id", Id, primary_key=True),
    Column("company_id", Id, ForeignKey("companies.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("days", Integer, nullable=False),
    Column("price_amount", Amount, nullable=False),  # minor units
    Column("price_currency", code(3), nullable=False),
    Column("grace_days", Integer, nullable=False),
    Column("covers_all_gyms", Boolean, nullable=False),  # of its company
    Column("version", Integer, nullable=False, server_default="1"),
    Column("retired_at", Instant),
    Column("created_at", Instant, nullable=False),
)


plan_gyms = Table(
    "plan_gyms",
    metadata,
    Column("plan_id", Id, ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True),
    Column("gym_id", Id, ForeignKey("gyms.id", ondelete="CASCADE"), primary_key=True),
)


# The sum of the ledger entries, for the door. Always written together with them.
memberships = Table(
    "memberships",
    metadata,
    Column("id", Id, primary_key=True),
    Column("member_id", Id, ForeignKey("users.id"), nullable=False, index=True),
    Column("plan_id", Id, ForeignKey("plans.id"), nullable=False, index=True),  # the one bought last
    Column("time_zone", code(64), nullable=False, server_default="UTC"),  # whose days are its days
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
    Column("frozen_from", Instant),
    Column("frozen_until", Instant),
    Column("in_arrears_since", Instant),
    Column("without_grace", Boolean, nullable=False, server_default=text("0")),  # its money was given back
    Column("created_at", Instant, nullable=False),
)


# Never updated, never deleted.
ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("booking_id", Id, nullable=False, index=True),  # rows that were written together
    Column("number", Integer, nullable=False),  # of the member's rows: the order in which they were written
    Column("effect", code(128), unique=True),  # what happened once, such as a payment: two of it collide here
    Column("member_id", Id, nullable=False),
    Column("membership_id", Id),  # null: of the member, not of one membership
    Column("kind", code(24), nullable=False),
    Column("from_day", code(10)),  # 2026-03-01, in the membership's time zone
    Column("until_day", code(10)),  # the first day after
    Column("days", Integer, nullable=False),  # negative: taken back
    Column("moves", Boolean, nullable=False),  # moved from or to another row of the booking
    Column("freeze_from", code(10)),
    Column("freeze_until", code(10)),
    Column("amount", Amount),  # minor units; negative: out
    Column("currency", code(3)),
    Column("method", code(16)),
    Column("order_id", Id, index=True),
    Column("provider_id", code(255)),  # of the refund or the dispute
    Column("reverses_id", Id),  # the booking that is taken back
    Column("booked_on", code(10), nullable=False),
    Column("by_id", Id),  # null: the payment's provider, or the system
    Column("reason", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("member_id", "number"),
    Index("ix_ledger_entries_member_id_id", "member_id", "id"),
    Index("ix_ledger_entries_membership_id_id", "membership_id", "id"),
    Index("ix_ledger_entries_by_id_created_at", "by_id", "created_at"),
)


# One row for each reminder mail that was, or is being, sent.
reminders = Table(
    "reminders",
    metadata,
    Column("membership_id", Id, primary_key=True),
    Column("ends_on", code(10), primary_key=True),
    Column("days_before", SmallInteger, primary_key=True),
    Column("claimed_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("refused_at", Instant),  # by the mail server, for good
)
