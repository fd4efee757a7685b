"""Leases: who does what one process of all does at a time. Reminders that the mail server refuses for good.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Instant, code

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and the column."""
    op.create_table(
        "leases",
        sa.Column("name", code(32), nullable=False),
        sa.Column("owner", code(255), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.add_column("reminders", sa.Column("refused_at", Instant(), nullable=True))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("reminders", "refused_at")
    op.drop_table("leases")
