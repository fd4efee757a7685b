"""Machines and their use, exceptional opening hours, device pairing, head counts, offline scans.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, Instant, code

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "head_counts",
        sa.Column("id", Id(), nullable=False),
        sa.Column("count_id", code(64), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("by_id", Id(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("inside_before", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("counted_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head_counts")),
        sa.UniqueConstraint("count_id", "by_id", name=op.f("uq_head_counts_count_id_by_id")),
    )
    op.create_index("ix_head_counts_gym_id_id", "head_counts", ["gym_id", "id"], unique=False)
    op.create_table(
        "machine_requests",
        sa.Column("id", Id(), nullable=False),
        sa.Column("request_id", code(64), nullable=False),
        sa.Column("asked_by", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("machine_id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=False),
        sa.Column("action", code(8), nullable=False),
        sa.Column("arrived_at", Instant(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("outcome", code(8), nullable=False),
        sa.Column("reason", code(32), nullable=True),
        sa.Column("use_id", Id(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine_requests")),
        sa.UniqueConstraint("request_id", "asked_by", name=op.f("uq_machine_requests_request_id_asked_by")),
    )
    op.create_table(
        "machine_uses",
        sa.Column("id", Id(), nullable=False),
        sa.Column("machine_id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=True),
        sa.Column("visit_id", Id(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("inferred", code(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine_uses")),
    )
    op.create_index("ix_machine_uses_gym_id_id", "machine_uses", ["gym_id", "id"], unique=False)
    op.create_index("ix_machine_uses_machine_id_id", "machine_uses", ["machine_id", "id"], unique=False)
    op.create_index("ix_machine_uses_member_id_id", "machine_uses", ["member_id", "id"], unique=False)
    op.create_index("ix_machine_uses_visit_id", "machine_uses", ["visit_id"], unique=False)
    op.create_table(
        "open_machine_uses",
        sa.Column("machine_id", Id(), nullable=False),
        sa.Column("use_id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=False),
        sa.Column("visit_id", Id(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("machine_id", name=op.f("pk_open_machine_uses")),
        sa.UniqueConstraint("member_id", name=op.f("uq_open_machine_uses_member_id")),
        sa.UniqueConstraint("use_id", name=op.f("uq_open_machine_uses_use_id")),
        sa.UniqueConstraint("visit_id", name=op.f("uq_open_machine_uses_visit_id")),
    )
    op.create_index("ix_open_machine_uses_gym_id", "open_machine_uses", ["gym_id"], unique=False)
    op.create_table(
        "scan_conflicts",
        sa.Column("id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("kind", code(32), nullable=False),
        sa.Column("found_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("settled_by", Id(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_conflicts")),
    )
    op.create_index("ix_scan_conflicts_gym_id_id", "scan_conflicts", ["gym_id", "id"], unique=False)
    op.create_table(
        "machines",
        sa.Column("id", Id(), nullable=False),
        sa.Column("legacy_number", sa.Integer(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("image", code(64), nullable=True),
        sa.Column("out_of_order_since", Instant(), nullable=True),
        sa.Column("out_of_order_reason", sa.String(length=200), nullable=True),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["gym_id"], ["gyms.id"], name=op.f("fk_machines_gym_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machines")),
        sa.UniqueConstraint("legacy_number", name=op.f("uq_machines_legacy_number")),
    )
    op.create_index("ix_machines_gym_id", "machines", ["gym_id"], unique=False)
    op.create_table(
        "opening_exceptions",
        sa.Column("id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("day", code(10), nullable=False),
        sa.Column("opens_minute", sa.SmallInteger(), nullable=True),
        sa.Column("closes_minute", sa.SmallInteger(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["gym_id"], ["gyms.id"], name=op.f("fk_opening_exceptions_gym_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_exceptions")),
    )
    op.create_index("ix_opening_exceptions_gym_id_day", "opening_exceptions", ["gym_id", "day"], unique=False)
    op.create_table(
        "device_pairings",
        sa.Column("id", Id(), nullable=False),
        sa.Column("code_hash", code(64), nullable=False),
        sa.Column("gate_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_by", Id(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("device_id", Id(), nullable=True),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_device_pairings_gate_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_pairings")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_device_pairings_code_hash")),
    )
    op.create_index("ix_device_pairings_expires_at", "device_pairings", ["expires_at"], unique=False)
    op.create_index("ix_device_pairings_gate_id", "device_pairings", ["gate_id"], unique=False)
    op.add_column("gate_devices", sa.Column("last_seen_at", Instant(), nullable=True))
    op.add_column("gate_devices", sa.Column("clock_skew_ms", sa.Integer(), nullable=True))
    op.add_column("gates", sa.Column("retired_at", Instant(), nullable=True))
    op.add_column("gates", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("gyms", sa.Column("longest_use_s", sa.Integer(), server_default="7200", nullable=False))
    op.add_column("scans", sa.Column("offline", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Take it back."""
    for table in (
        "device_pairings",
        "opening_exceptions",
        "machines",
        "scan_conflicts",
        "open_machine_uses",
        "machine_uses",
        "machine_requests",
        "head_counts",
    ):
        op.drop_table(table)
    op.drop_column("scans", "offline")
    op.drop_column("gyms", "longest_use_s")
    op.drop_column("gates", "version")
    op.drop_column("gates", "retired_at")
    op.drop_column("gate_devices", "clock_skew_ms")
    op.drop_column("gate_devices", "last_seen_at")
