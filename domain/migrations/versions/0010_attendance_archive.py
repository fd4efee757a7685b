"""The attendance archive: keys of members, incarnations of topics, verified days.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, Instant, code

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables that are missing: MySQL and MariaDB commit after each, and a run may be cut short."""
    existing = set(sa.inspect(op.get_bind()).get_table_names())
    if "member_keys" not in existing:
        op.create_table(
            "member_keys",
            sa.Column("member_id", Id(), nullable=False),
            sa.Column("member_key", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), nullable=False),
            sa.PrimaryKeyConstraint("member_id", name=op.f("pk_member_keys")),
            sa.UniqueConstraint("member_key", name=op.f("uq_member_keys_member_key")),
        )
    if "archive_sources" not in existing:
        op.create_table(
            "archive_sources",
            sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
            sa.Column("topic", code(249), nullable=False),
            sa.Column("incarnation", code(128), nullable=False),
            sa.Column("first_seen_at", Instant(), nullable=False),
            sa.PrimaryKeyConstraint("number", name=op.f("pk_archive_sources")),
            sa.UniqueConstraint("topic", "incarnation", name=op.f("uq_archive_sources_topic_incarnation")),
        )
    if "archive_days" not in existing:
        op.create_table(
            "archive_days",
            sa.Column("table_name", code(16), nullable=False),
            sa.Column("day", code(10), nullable=False),
            sa.Column("files", code(64), nullable=False),
            sa.Column("verified_at", Instant(), nullable=False),
            sa.PrimaryKeyConstraint("table_name", "day", name=op.f("pk_archive_days")),
        )


def downgrade() -> None:
    """Take them away."""
    for name in ("archive_days", "archive_sources", "member_keys"):
        op.drop_table(name)
