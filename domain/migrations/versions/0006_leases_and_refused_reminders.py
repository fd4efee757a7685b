"""Leases, each held by one process at a time; reminders that the mail server has refused permanently.

Can be repeated after an interruption.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Instant, code
from domain.migrations.existing_schema import existing_columns, existing_tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table `leases`, add `reminders.refused_at`."""
    if "leases" not in existing_tables(op.get_bind()):
        op.create_table(
            "leases",
            sa.Column("name", code(32), nullable=False),
            sa.Column("owner", code(255), nullable=True),
            sa.Column("number", sa.BigInteger(), nullable=False),
            sa.Column("expires_at", Instant(), nullable=False),
            sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        )
    if "refused_at" not in existing_columns(op.get_bind(), "reminders"):
        op.add_column("reminders", sa.Column("refused_at", Instant(), nullable=True))


def downgrade() -> None:
    """Drop the column and the table."""
    op.drop_column("reminders", "refused_at")
    op.drop_table("leases")
