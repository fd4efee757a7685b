"""Amounts of up to twelve digits; UGX counted as Stripe counts it.

UGX was taken for a currency without decimals, but Stripe counts hundredths of it. Prices of plans and payments at desks
were meant in whole shillings: they become hundredths. Payments by Stripe stay: Stripe did charge a hundredth.

Revision ID: 0005
Revises: 0004
"""

import json

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AMOUNTS = (
    ("plans", "price_amount", False),
    ("ledger_entries", "amount", True),
    ("orders", "amount", False),
    ("orders", "refunded", False),
    ("refunds", "amount", False),
    ("disputes", "amount", False),
    ("invoices", "amount", False),
)
_AT_DESKS = "order_id IN (SELECT id FROM orders WHERE currency = 'UGX' AND method <> 'stripe')"
_HUNDREDTHS = (
    "UPDATE plans SET price_amount = price_amount * 100 WHERE price_currency = 'UGX'",
    "UPDATE ledger_entries SET amount = amount * 100 WHERE currency = 'UGX' AND method <> 'stripe'",
    f"UPDATE refunds SET amount = amount * 100 WHERE {_AT_DESKS}",  # noqa: S608 - a constant
    "UPDATE orders SET amount = amount * 100, refunded = refunded * 100 WHERE currency = 'UGX' AND method <> 'stripe'",
)
_INVOICES = sa.table(
    "invoices", sa.column("id", Id()), sa.column("order_id", Id()), sa.column("amount"), sa.column("document")
)


def upgrade() -> None:
    """Widen amounts, and count UGX in hundredths."""
    if op.get_bind().dialect.name != "sqlite":  # whose integers have 64 bits
        for table, column, nullable in _AMOUNTS:
            op.alter_column(
                table, column, existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=nullable
            )
    _count_shillings(op.get_bind())


def _count_shillings(connection: sa.Connection) -> None:
    issued = connection.execute(sa.select(_INVOICES).where(sa.text(_AT_DESKS))).all()
    for row in issued:
        document = json.loads(row.document)
        document |= {name: document[name] * 100 for name in ("gross", "net", "vat")}
        values = {"amount": row.amount * 100, "document": json.dumps(document)}
        connection.execute(sa.update(_INVOICES).where(_INVOICES.c.id == row.id).values(**values))
    for statement in _HUNDREDTHS:
        connection.execute(sa.text(statement))
