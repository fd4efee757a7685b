"""Amounts of up to twelve digits; UGX counted as Stripe counts it; no address is null.

UGX was taken for a currency without decimals, but Stripe counts hundredths of it. Prices of plans and payments at desks
were meant in whole shillings: they become hundredths. Payments by Stripe stay: Stripe did charge a hundredth.

Revision ID: 0007
Revises: 0006
"""

import json
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id
from domain.identity.email_addresses import usable_address

revision = "0007"
down_revision = "0006"
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
_USERS = sa.table("users", sa.column("id", Id()), sa.column("email"))
_INVOICES = sa.table(
    "invoices", sa.column("id", Id()), sa.column("order_id", Id()), sa.column("amount"), sa.column("document")
)


def upgrade() -> None:
    """Widen amounts, count UGX in hundredths, and keep null where there is no address."""
    if op.get_bind().dialect.name != "sqlite":  # whose integers have 64 bits
        for table, column, nullable in _AMOUNTS:
            op.alter_column(
                table, column, existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=nullable
            )
    _let_email_be_null(op.get_bind())
    # No table is changed from here on: MariaDB would commit the rows without the revision, and a second run would count
    # in hundredths of hundredths.
    _count_shillings(op.get_bind())
    _forget_what_is_no_address(op.get_bind())


def _count_shillings(connection: sa.Connection) -> None:
    issued = connection.execute(sa.select(_INVOICES).where(sa.text(_AT_DESKS))).all()
    for row in issued:
        document = json.loads(row.document)
        document |= {name: document[name] * 100 for name in ("gross", "net", "vat")}
        values = {"amount": row.amount * 100, "document": json.dumps(document)}
        connection.execute(sa.update(_INVOICES).where(_INVOICES.c.id == row.id).values(**values))
    for statement in _HUNDREDTHS:
        connection.execute(sa.text(statement))


def _forget_what_is_no_address(connection: sa.Connection) -> None:
    """Names of federated accounts and other texts that stood for an address become null."""
    after: UUID | None = None
    while True:
        part = sa.select(_USERS).order_by(_USERS.c.id).limit(1000)
        rows = connection.execute(part if after is None else part.where(_USERS.c.id > after)).all()
        if not rows:
            return
        unusable = [row.id for row in rows if usable_address(row.email) is None]
        connection.execute(sa.update(_USERS).where(_USERS.c.id.in_(unusable)).values(email=None))
        after = rows[-1].id


def _let_email_be_null(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        _let_email_be_null_in_sqlite(connection)
    else:
        op.alter_column("users", "email", existing_type=sa.String(254), nullable=True)


def _let_email_be_null_in_sqlite(connection: sa.Connection) -> None:
    # A copy of the table would drop it, and with it the rows that refer to it. This change needs no copy: see
    # https://www.sqlite.org/lang_altertable.html#otheralter.
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema=ON"))
    changed = connection.execute(
        sa.text("UPDATE sqlite_master SET sql = replace(sql, :old, :new) WHERE type = 'table' AND name = 'users'"),
        {"old": "email VARCHAR(254) NOT NULL", "new": "email VARCHAR(254)"},
    )
    connection.execute(sa.text(f"PRAGMA schema_version={version + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema=OFF"))
    if changed.rowcount != 1:
        raise RuntimeError("the table of users is not as the steps before have made it")
