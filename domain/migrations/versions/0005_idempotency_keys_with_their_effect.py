"""Idempotency keys: claimed with their effect, and which row an unfinished call continues with.

Can be repeated after an interruption.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, Instant
from domain.migrations.existing_schema import existing_columns

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `subject_id` and `held_until`, drop `status`."""
    existing = existing_columns(op.get_bind(), "idempotency_keys")
    if "subject_id" not in existing:
        op.add_column("idempotency_keys", sa.Column("subject_id", Id(), nullable=True))
    if "held_until" not in existing:
        op.add_column("idempotency_keys", sa.Column("held_until", Instant(), nullable=True))
    if "status" in existing:
        op.drop_column("idempotency_keys", "status")


def downgrade() -> None:
    """Restore `status`, drop the new columns."""
    op.add_column("idempotency_keys", sa.Column("status", sa.SmallInteger(), nullable=True))
    op.drop_column("idempotency_keys", "held_until")
    op.drop_column("idempotency_keys", "subject_id")
