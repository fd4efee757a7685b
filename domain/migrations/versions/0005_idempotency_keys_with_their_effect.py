"""Idempotency keys: claimed with their effect, and which row an unfinished call continues with.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("idempotency_keys", sa.Column("subject_id", Id(), nullable=True))
    op.add_column("idempotency_keys", sa.Column("held_until", Instant(), nullable=True))
    op.drop_column("idempotency_keys", "status")


def downgrade() -> None:
    """Take it back."""
    op.add_column("idempotency_keys", sa.Column("status", sa.SmallInteger(), nullable=True))
    op.drop_column("idempotency_keys", "held_until")
    op.drop_column("idempotency_keys", "subject_id")
