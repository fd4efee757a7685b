"""The tables of the store. Migrations bring a database to this; a test holds the two equal."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.default import DefaultExecutionContext

from domain.column_types import Amount, Id, Instant, code, exact
from domain.identity.addresses import LONGEST as LONGEST_ADDRESS
from domain.text import LONGEST_KEY, search_key

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _searched_by_name(context: DefaultExecutionContext) -> str:
    return search_key(context.get_current_parameters()["name"])  # type: ignore[no-untyped-call] # SQLAlchemy's own


def _searched_by_type(context: DefaultExecutionContext) -> str:
    return search_key(context.get_current_parameters()["type"])  # type: ignore[no-untyped-call] # SQLAlchemy's own


users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),  # the identity provider's `sub`
    Column("email", exact(LONGEST_ADDRESS), unique=True),  # `normal_address`; null: none that can be used
    Column("name", String(200), nullable=False),
    # `search_key` of the name: whoever changes one changes the other.
    Column("search_name", exact(LONGEST_KEY), nullable=False, index=True, server_default="", default=_searched_by_name),
    Column("picture_url", String(500)),
    Column("banned_at", Instant),
    Column("disabled_at", Instant),
    Column("deleted_at", Instant),  # what is left has no personal data
    Column("reminders_off_at", Instant),  # wants no mail before a membership ends
    Column("roles_changed_at", Instant),  # tokens issued before then give no more than `user_roles`
    Column("created_at", Instant, nullable=False),
)

user_roles = Table(
    "user_roles",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", code(16), primary_key=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),  # the provider's `origin_jti`
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("device", String(200), nullable=False),
    Column("address", code(45), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    Column("ended_at", Instant),
)

# No account is named here: a key is a hash of what is counted, be there such an account or not. Where tries of an hour
# are counted, `last_failed_at` is the beginning of that hour.
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("key", code(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failed_at", Instant, nullable=False, index=True),
    Column("blocked_until", Instant),
)

user_changes = Table(
    "user_changes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("by_id", Id),  # null: the provider, or the command line
    Column("what", code(32), nullable=False),
    Column("detail", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_user_changes_user_id_id", "user_id", "id"),
)

# What was answered to a call that may be repeated; `answer` is sealed with the key, of which only a hash is here.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", code(64), primary_key=True),
    Column("request_hash", code(64), nullable=False),
    Column("subject_id", Id),  # the row that the call has written, where an answer needs another system first
    Column("held_until", Instant),  # an attempt runs until then; null: none does
    Column("answer", Text),  # sealed; null: there is none yet
    Column("created_at", Instant, nullable=False, index=True),
)

# What was answered to an authorization code, for at most 60 s; sealed with the code itself.
code_answers = Table(
    "code_answers",
    metadata,
    Column("code_hash", code(64), primary_key=True),
    Column("answer", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

companies = Table(
    "companies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("address", String(500), nullable=False, server_default=""),  # these and the following: on invoices
    Column("vat_number", String(32), nullable=False, server_default=""),
    Column("vat_rate_bp", Integer, nullable=False, server_default="0"),  # hundredths of a percent
    Column("last_invoice_number", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
)

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
    Column("clock_skew_ms", Integer),  # of the device's clock when it last told the time; positive: fast
    Column("created_at", Instant, nullable=False),
)

# A code that makes one device of whoever shows it first.
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

machines = Table(
    "machines",
    metadata,
    Column("id", Id, primary_key=True),
    Column("legacy_number", Integer, nullable=False, unique=True),  # what the existing web client calls a machine
    Column("gym_id", Id, ForeignKey("gyms.id"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("type", String(50), nullable=False),
    Column("search_type", exact(LONGEST_KEY), nullable=False, server_default="", default=_searched_by_type),
    Column("description", Text, nullable=False),
    Column("image", code(64)),  # SHA-256 of the published picture, which is its name in the store of images
    Column("out_of_order_since", Instant),
    Column("out_of_order_reason", String(200)),
    Column("retired_at", Instant),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# Like `scans`: what was asked about a machine, with its answer, refusals too.
machine_requests = Table(
    "machine_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("request_id", code(64), nullable=False),  # the client's own
    Column("asked_by", Id, nullable=False),
    Column("gym_id", Id, nullable=False),
    Column("machine_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("action", code(8), nullable=False),  # use, release
    Column("arrived_at", Instant, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("outcome", code(8), nullable=False),  # used, released, refused
    Column("reason", code(32)),
    Column("use_id", Id),
    UniqueConstraint("request_id", "asked_by"),
)

machine_uses = Table(
    "machine_uses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("machine_id", Id, nullable=False),
    Column("gym_id", Id, nullable=False),
    Column("member_id", Id),  # null once the account is deleted
    Column("visit_id", Id, nullable=False, index=True),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("inferred", code(32)),  # why it was ended without a release of its own
    Index("ix_machine_uses_machine_id_id", "machine_id", "id"),
    Index("ix_machine_uses_member_id_id", "member_id", "id"),
    Index("ix_machine_uses_gym_id_id", "gym_id", "id"),
)

open_machine_uses = Table(
    "open_machine_uses",
    metadata,
    Column("machine_id", Id, primary_key=True),  # used by one member
    Column("use_id", Id, nullable=False, unique=True),
    Column("gym_id", Id, nullable=False, index=True),
    Column("member_id", Id, nullable=False, unique=True),  # who uses one machine
    Column("visit_id", Id, nullable=False, unique=True),
    Column("started_at", Instant, nullable=False),
)

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

# What the rows of its ledger add up to, for the door; written with them, never by itself.
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

orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("member_id", Id, nullable=False),
    Column("company_id", Id, nullable=False),
    Column("plan_id", Id, ForeignKey("plans.id"), nullable=False, index=True),
    Column("plan_name", String(100), nullable=False),  # these and the following: as sold
    Column("days", Integer, nullable=False),
    Column("amount", Amount, nullable=False),  # minor units
    Column("currency", code(3), nullable=False),
    Column("vat_rate_bp", Integer, nullable=False),
    Column("method", code(16), nullable=False),  # stripe, cash, card_terminal
    Column("state", code(16), nullable=False),
    Column("refunded", Amount, nullable=False),  # minor units
    Column("membership_id", Id),
    Column("by_id", Id),  # of the staff; null: the member bought
    Column("success_url", Text),
    Column("cancel_url", Text),
    Column("session_id", code(255), unique=True),
    Column("checkout_url", Text),
    Column("expires_at", Instant),
    Column("payment_intent_id", code(255), unique=True),
    Column("charge_id", code(255)),
    Column("problem", String(200)),  # why somebody has to look at it
    Column("created_at", Instant, nullable=False),
    Column("paid_at", Instant),
    Index("ix_orders_member_id_id", "member_id", "id"),
    Index("ix_orders_by_id_created_at", "by_id", "created_at"),
)

# Orders whose end is not known yet: few, and asked for at the door.
open_orders = Table(
    "open_orders",
    metadata,
    Column("order_id", Id, primary_key=True),
    Column("member_id", Id, nullable=False, index=True),
    Column("checked_at", Instant, nullable=False, index=True),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Id, primary_key=True),
    Column("order_id", Id, nullable=False, index=True),
    Column("provider_id", code(255), unique=True),
    Column("amount", Amount, nullable=False),
    Column("state", code(16), nullable=False),  # asked, pending, succeeded, failed
    Column("days", Integer, nullable=False),  # that it took back
    Column("reason", String(200), nullable=False),
    Column("by_id", Id),  # null: made at the provider
    Column("created_at", Instant, nullable=False),
    Column("booked_at", Instant),
)

disputes = Table(
    "disputes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("order_id", Id, nullable=False, index=True),
    Column("provider_id", code(255), nullable=False, unique=True),
    Column("amount", Amount, nullable=False),
    Column("state", code(16), nullable=False),  # open, won, lost
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
)

# What was written on an invoice stays so: all of it is in `document`.
invoices = Table(
    "invoices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("company_id", Id, nullable=False),
    Column("number", Integer, nullable=False),  # without gaps within the company
    Column("effect", code(128), nullable=False, unique=True),  # the payment or refund that it is for
    Column("kind", code(16), nullable=False),  # invoice, credit_note
    Column("order_id", Id, nullable=False, index=True),
    Column("member_id", Id, nullable=False),
    Column("refers_to_id", Id),  # the invoice that a credit note is about
    Column("amount", Amount, nullable=False),  # gross, minor units; a credit note's is negative
    Column("currency", code(3), nullable=False),
    Column("document", Text, nullable=False),  # JSON
    Column("issued_at", Instant, nullable=False),
    UniqueConstraint("company_id", "number"),
    Index("ix_invoices_member_id_id", "member_id", "id"),
)

stripe_events = Table(
    "stripe_events",
    metadata,
    Column("id", code(255), primary_key=True),  # Stripe's own
    Column("type", code(64), nullable=False),
    Column("api_version", code(64)),
    Column("object_id", code(255)),
    Column("order_id", Id),
    Column("payment_intent_id", code(255)),
    Column("created_at", Instant, nullable=False),  # by Stripe
    Column("received_at", Instant, nullable=False),
    Column("state", code(16), nullable=False),  # received, handled, ignored
    Column("detail", String(200), nullable=False),
    Column("handled_at", Instant),
    Index("ix_stripe_events_state_received_at", "state", "received_at"),
    Index("ix_stripe_events_created_at", "created_at"),
)

# That a member was, or is being, told; one row for each mail.
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

# Who does what one process of all does at a time; see domain/leases.py. Times are those of the database's own clock.
leases = Table(
    "leases",
    metadata,
    Column("name", code(32), primary_key=True),
    Column("owner", code(255)),  # null once it was given back
    Column("number", BigInteger, nullable=False),  # rises whenever the lease is taken
    Column("expires_at", Instant, nullable=False),
)

# No foreign keys from here: a log that is appended to on the way of every scan keeps what was asked, known or not.
scans = Table(
    "scans",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scan_id", code(64), nullable=False),  # the client's own
    Column("asked_by", Id, nullable=False),  # device or user
    Column("gym_id", Id, nullable=False),
    Column("gate_id", Id),  # null for the tombstone of a scan that was annulled unseen
    Column("direction", code(8)),
    Column("member_id", Id),
    Column("pass_status", code(8)),
    Column("pass_issued_at", Instant),
    Column("scanned_at", Instant),  # by the device's clock
    Column("arrived_at", Instant, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("outcome", code(8), nullable=False),
    Column("reason", code(32)),
    Column("remedy", code(32)),
    Column("occupancy", Integer, nullable=False),  # of the gym, just after
    Column("capacity", Integer, nullable=False),
    Column("visit_id", Id),
    Column("repeats_id", Id),  # the scan whose answer was given again to a phone held up
    Column("annulled_at", Instant),
    Column("annulled_by", Id),
    Column("annul_reason", String(200)),
    Column("offline", Boolean),  # null: decided while somebody waited at the gate
    UniqueConstraint("scan_id", "asked_by"),
    Index("ix_scans_member_id_decided_at", "member_id", "decided_at"),
    Index("ix_scans_gym_id_id", "gym_id", "id"),
)

visits = Table(
    "visits",
    metadata,
    Column("id", Id, primary_key=True),
    Column("gym_id", Id, nullable=False),
    Column("member_id", Id),  # null: added by a head count, or its member's account was deleted
    Column("gate_id", Id),
    Column("pass_issued_at", Instant),  # null once annulled: the pass may be used again
    Column("entered_at", Instant, nullable=False),
    Column("entered_scan", Id),
    Column("left_at", Instant),
    Column("left_scan", Id),  # the scan that ended it, an entry elsewhere included
    Column("inferred", code(32)),  # why it was ended without a scan of its own
    Column("annulled_at", Instant),
    # A rule found the member outside then: a head count, a visit too long, a deleted account. Kept where a scan tells
    # better how the visit ended, for that scan may be annulled.
    Column("rule_ended_at", Instant),
    Column("rule", code(32)),
    CheckConstraint("left_at >= entered_at", name="left_after_entered"),
    UniqueConstraint("member_id", "pass_issued_at"),
    Index("ix_visits_member_id_id", "member_id", "id"),
    Index("ix_visits_gym_id_id", "gym_id", "id"),
)

open_visits = Table(
    "open_visits",
    metadata,
    Column("visit_id", Id, primary_key=True),
    Column("gym_id", Id, nullable=False, index=True),
    Column("member_id", Id, unique=True),  # null for an anonymous one
    Column("entered_at", Instant, nullable=False),
)

head_counts = Table(
    "head_counts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("count_id", code(64), nullable=False),  # the client's own
    Column("gym_id", Id, nullable=False),
    Column("by_id", Id, nullable=False),
    Column("counted", Integer, nullable=False),
    Column("inside_before", Integer, nullable=False),  # open visits
    Column("closed", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("counted_at", Instant, nullable=False),
    UniqueConstraint("count_id", "by_id"),
    Index("ix_head_counts_gym_id_id", "gym_id", "id"),
)

# Scans made while the server was out of reach that do not fit what is known; for the staff to look at.
scan_conflicts = Table(
    "scan_conflicts",
    metadata,
    Column("id", Id, primary_key=True),  # the scan's row
    Column("gym_id", Id, nullable=False),
    Column("kind", code(32), nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("settled_by", Id),
    Column("note", String(200)),
    Index("ix_scan_conflicts_gym_id_id", "gym_id", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    # A gym's own events are written under its lock: their numbers rise in the order of their commits. Those that
    # another gym's scan brings (a visit ended or reopened elsewhere) are not: never page by "number > last".
    Column("id", BigInteger().with_variant(sqlite.INTEGER(), "sqlite"), primary_key=True, autoincrement=True),
    Column("topic", code(64), nullable=False),
    Column("key", code(64), nullable=False),
    Column("payload", Text, nullable=False),  # JSON
    Column("created_at", Instant, nullable=False),
)
