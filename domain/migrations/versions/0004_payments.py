"""Payments: the ledger of memberships, orders, refunds, disputes, invoices, Stripe's events, reminders.

Revision ID: 0004
Revises: 0003
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, Instant, code
from domain.ids import new_id

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_HELD = sa.table(
    "memberships",
    *(sa.column("id", Id()), sa.column("member_id", Id()), sa.column("in_arrears_since", Instant())),
    *(sa.column(name, Instant()) for name in ("starts_at", "ends_at", "frozen_from", "frozen_until")),
)
_ENTRIES = sa.table(
    "ledger_entries",
    *(sa.column(name, Id()) for name in ("id", "booking_id", "member_id", "membership_id")),
    *(sa.column(name) for name in ("kind", "from_day", "until_day", "days", "moves", "booked_on", "reason")),
    *(sa.column(name) for name in ("number", "freeze_from", "freeze_until", "provider_id")),
    sa.column("created_at", Instant()),
)


def upgrade() -> None:
    """Make the tables, and write down what is held as the ledger's opening."""
    _add_columns()
    _add_tables()
    _open_ledger(op.get_bind())


def _add_columns() -> None:
    op.add_column("users", sa.Column("reminders_off_at", Instant(), nullable=True))
    for name, length in (("address", 500), ("vat_number", 32)):
        op.add_column("companies", sa.Column(name, sa.String(length=length), nullable=False, server_default=""))
    for name in ("vat_rate_bp", "last_invoice_number"):
        op.add_column("companies", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("plans", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("memberships", sa.Column("time_zone", code(64), nullable=False, server_default="UTC"))
    op.add_column("memberships", sa.Column("without_grace", sa.Boolean(), nullable=False, server_default=sa.text("0")))
    op.create_index("ix_memberships_ends_at", "memberships", ["ends_at"], unique=False)
    op.create_index("ix_memberships_plan_id", "memberships", ["plan_id"], unique=False)


def _open_ledger(connection: sa.Connection) -> None:
    """What was held before there were rows becomes whole days of UTC, begun ones counted as whole."""
    now = datetime.now(UTC)
    after: UUID | None = None
    while True:
        part = sa.select(_HELD).order_by(_HELD.c.id).limit(1000)
        rows = connection.execute(part if after is None else part.where(_HELD.c.id > after)).all()
        if not rows:
            return
        for row in rows:
            _open_one(connection, row, now)
        after = rows[-1].id


def _open_one(connection: sa.Connection, row: sa.Row[Any], now: datetime) -> None:
    starts_at = _midnight(row.starts_at)
    ends_at = max(_midnight(row.ends_at + timedelta(days=1, microseconds=-1)), starts_at + timedelta(days=1))
    spans, freeze = [(starts_at, ends_at)], None
    if row.frozen_from is not None:
        first = max(_midnight(row.frozen_from), starts_at)
        last = min(_midnight(row.frozen_until or ends_at), ends_at - timedelta(days=1))
        if first < last:
            freeze = (first, last)
            spans = [span for span in ((starts_at, first), (last, ends_at)) if span[0] < span[1]]
    written: list[dict[str, object]] = [
        {"kind": "opening", "from_day": _day(a), "until_day": _day(b), "days": (b - a).days} for a, b in spans
    ]
    if freeze:
        written.append({"kind": "freeze", "freeze_from": _day(freeze[0]), "freeze_until": _day(freeze[1]), "days": 0})
    if row.in_arrears_since is not None:
        written.append({"kind": "dispute_opened", "provider_id": f"opening-{row.id}", "days": 0})
    common = {
        "booking_id": new_id(),
        "member_id": row.member_id,
        "membership_id": row.id,
        "moves": False,
        "booked_on": _day(now),
        "reason": "held before there was a ledger",
        "created_at": now,
    }
    last = connection.execute(
        sa.select(sa.func.max(_ENTRIES.c.number)).where(_ENTRIES.c.member_id == row.member_id)
    ).scalar_one()
    for number, each in enumerate(written, (last or 0) + 1):
        connection.execute(sa.insert(_ENTRIES).values(id=new_id(), number=number, **common, **each))
    values = {
        "starts_at": starts_at,
        "ends_at": ends_at,
        "frozen_from": freeze and freeze[0],
        "frozen_until": freeze and freeze[1],
        "in_arrears_since": row.in_arrears_since and _midnight(now),
    }
    connection.execute(sa.update(_HELD).where(_HELD.c.id == row.id).values(**values))


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _add_tables() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("id", Id(), nullable=False),
        sa.Column("booking_id", Id(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("effect", code(128), nullable=True),
        sa.Column("member_id", Id(), nullable=False),
        sa.Column("membership_id", Id(), nullable=True),
        sa.Column("kind", code(24), nullable=False),
        sa.Column("from_day", code(10), nullable=True),
        sa.Column("until_day", code(10), nullable=True),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("moves", sa.Boolean(), nullable=False),
        sa.Column("freeze_from", code(10), nullable=True),
        sa.Column("freeze_until", code(10), nullable=True),
        sa.Column("amount", sa.Integer(), nullable=True),
        sa.Column("currency", code(3), nullable=True),
        sa.Column("method", code(16), nullable=True),
        sa.Column("order_id", Id(), nullable=True),
        sa.Column("provider_id", code(255), nullable=True),
        sa.Column("reverses_id", Id(), nullable=True),
        sa.Column("booked_on", code(10), nullable=False),
        sa.Column("by_id", Id(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("effect", name=op.f("uq_ledger_entries_effect")),
        sa.UniqueConstraint("member_id", "number", name=op.f("uq_ledger_entries_member_id_number")),
    )
    op.create_index("ix_ledger_entries_booking_id", "ledger_entries", ["booking_id"], unique=False)
    op.create_index("ix_ledger_entries_by_id_created_at", "ledger_entries", ["by_id", "created_at"], unique=False)
    op.create_index("ix_ledger_entries_member_id_id", "ledger_entries", ["member_id", "id"], unique=False)
    op.create_index("ix_ledger_entries_membership_id_id", "ledger_entries", ["membership_id", "id"], unique=False)
    op.create_index("ix_ledger_entries_order_id", "ledger_entries", ["order_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=False),
        sa.Column("company_id", Id(), nullable=False),
        sa.Column("plan_id", Id(), nullable=False),
        sa.Column("plan_name", sa.String(length=100), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", code(3), nullable=False),
        sa.Column("vat_rate_bp", sa.Integer(), nullable=False),
        sa.Column("method", code(16), nullable=False),
        sa.Column("state", code(16), nullable=False),
        sa.Column("refunded", sa.Integer(), nullable=False),
        sa.Column("membership_id", Id(), nullable=True),
        sa.Column("by_id", Id(), nullable=True),
        sa.Column("success_url", sa.Text(), nullable=True),
        sa.Column("cancel_url", sa.Text(), nullable=True),
        sa.Column("session_id", code(255), nullable=True),
        sa.Column("checkout_url", sa.Text(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("payment_intent_id", code(255), nullable=True),
        sa.Column("charge_id", code(255), nullable=True),
        sa.Column("problem", sa.String(length=200), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("paid_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_orders_plan_id")),
        sa.UniqueConstraint("payment_intent_id", name=op.f("uq_orders_payment_intent_id")),
        sa.UniqueConstraint("session_id", name=op.f("uq_orders_session_id")),
    )
    op.create_index("ix_orders_by_id_created_at", "orders", ["by_id", "created_at"], unique=False)
    op.create_index("ix_orders_member_id_id", "orders", ["member_id", "id"], unique=False)
    op.create_index("ix_orders_plan_id", "orders", ["plan_id"], unique=False)
    op.create_table(
        "open_orders",
        sa.Column("order_id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=False),
        sa.Column("checked_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_open_orders")),
    )
    op.create_index("ix_open_orders_checked_at", "open_orders", ["checked_at"], unique=False)
    op.create_index("ix_open_orders_member_id", "open_orders", ["member_id"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("id", Id(), nullable=False),
        sa.Column("order_id", Id(), nullable=False),
        sa.Column("provider_id", code(255), nullable=True),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("state", code(16), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by_id", Id(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("booked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_refunds_provider_id")),
    )
    op.create_index("ix_refunds_order_id", "refunds", ["order_id"], unique=False)
    op.create_table(
        "disputes",
        sa.Column("id", Id(), nullable=False),
        sa.Column("order_id", Id(), nullable=False),
        sa.Column("provider_id", code(255), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("state", code(16), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_disputes_provider_id")),
    )
    op.create_index("ix_disputes_order_id", "disputes", ["order_id"], unique=False)
    op.create_table(
        "invoices",
        sa.Column("id", Id(), nullable=False),
        sa.Column("company_id", Id(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("effect", code(128), nullable=False),
        sa.Column("kind", code(16), nullable=False),
        sa.Column("order_id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=False),
        sa.Column("refers_to_id", Id(), nullable=True),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", code(3), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("company_id", "number", name=op.f("uq_invoices_company_id_number")),
        sa.UniqueConstraint("effect", name=op.f("uq_invoices_effect")),
    )
    op.create_index("ix_invoices_member_id_id", "invoices", ["member_id", "id"], unique=False)
    op.create_index("ix_invoices_order_id", "invoices", ["order_id"], unique=False)
    op.create_table(
        "stripe_events",
        sa.Column("id", code(255), nullable=False),
        sa.Column("type", code(64), nullable=False),
        sa.Column("api_version", code(64), nullable=True),
        sa.Column("object_id", code(255), nullable=True),
        sa.Column("order_id", Id(), nullable=True),
        sa.Column("payment_intent_id", code(255), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("state", code(16), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("handled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_events")),
    )
    op.create_index("ix_stripe_events_created_at", "stripe_events", ["created_at"], unique=False)
    op.create_index("ix_stripe_events_state_received_at", "stripe_events", ["state", "received_at"], unique=False)
    op.create_table(
        "reminders",
        sa.Column("membership_id", Id(), nullable=False),
        sa.Column("ends_on", code(10), nullable=False),
        sa.Column("days_before", sa.SmallInteger(), nullable=False),
        sa.Column("claimed_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("membership_id", "ends_on", "days_before", name=op.f("pk_reminders")),
    )


def downgrade() -> None:
    """Take it back."""
    for table in (
        *("reminders", "stripe_events", "invoices", "disputes", "refunds", "open_orders", "orders"),
        "ledger_entries",
    ):
        op.drop_table(table)
    op.drop_index("ix_memberships_plan_id", "memberships")
    op.drop_index("ix_memberships_ends_at", "memberships")
    op.drop_column("memberships", "without_grace")
    op.drop_column("memberships", "time_zone")
    op.drop_column("plans", "version")
    for name in ("last_invoice_number", "vat_rate_bp", "vat_number", "address"):
        op.drop_column("companies", name)
    op.drop_column("users", "reminders_off_at")
