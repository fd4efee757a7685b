"""Sessions, attempts to sign in, the history of accounts, repeated calls.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, Instant, code

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.add_column("users", sa.Column("disabled_at", Instant(), nullable=True))
    op.add_column("users", sa.Column("deleted_at", Instant(), nullable=True))
    op.add_column("users", sa.Column("roles_changed_at", Instant(), nullable=True))
    op.create_index("ix_users_name", "users", ["name"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("address", code(45), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    op.create_table(
        "sign_in_attempts",
        sa.Column("key", code(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failed_at", Instant(), nullable=False),
        sa.Column("blocked_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index("ix_sign_in_attempts_last_failed_at", "sign_in_attempts", ["last_failed_at"], unique=False)
    op.create_table(
        "user_changes",
        sa.Column("id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("by_id", Id(), nullable=True),
        sa.Column("what", code(32), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_changes")),
    )
    op.create_index("ix_user_changes_user_id_id", "user_changes", ["user_id", "id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("key", code(64), nullable=False),
        sa.Column("request_hash", code(64), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "code_answers",
        sa.Column("code_hash", code(64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_code_answers")),
    )
    op.create_index("ix_code_answers_expires_at", "code_answers", ["expires_at"], unique=False)


def downgrade() -> None:
    """Take it back."""
    for table in ("code_answers", "idempotency_keys", "user_changes", "sign_in_attempts", "sessions"):
        op.drop_table(table)
    op.drop_index("ix_users_name", "users")
    op.drop_column("users", "roles_changed_at")
    op.drop_column("users", "deleted_at")
    op.drop_column("users", "disabled_at")
