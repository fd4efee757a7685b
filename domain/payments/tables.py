"""Tables of orders, refunds, disputes, invoices and the provider's events."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from domain.column_types import Amount, Id, Instant, code
from domain.metadata import metadata

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
