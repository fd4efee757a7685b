"""Gyms, gates, devices, opening hours, users, plans, memberships, scans, visits, the outbox."""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, Instant, code

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "companies",
        sa.Column("id", Id(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_companies")),
    )
    op.create_table(
        "open_visits",
        sa.Column("visit_id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=True),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_open_visits")),
        sa.UniqueConstraint("member_id", name=op.f("uq_open_visits_member_id")),
    )
    op.create_index("ix_open_visits_gym_id", "open_visits", ["gym_id"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("topic", code(64), nullable=False),
        sa.Column("key", code(64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "scans",
        sa.Column("id", Id(), nullable=False),
        sa.Column("scan_id", code(64), nullable=False),
        sa.Column("asked_by", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("gate_id", Id(), nullable=True),
        sa.Column("direction", code(8), nullable=True),
        sa.Column("member_id", Id(), nullable=True),
        sa.Column("pass_status", code(8), nullable=True),
        sa.Column("pass_issued_at", Instant(), nullable=True),
        sa.Column("scanned_at", Instant(), nullable=True),
        sa.Column("arrived_at", Instant(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("outcome", code(8), nullable=False),
        sa.Column("reason", code(32), nullable=True),
        sa.Column("remedy", code(32), nullable=True),
        sa.Column("occupancy", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("visit_id", Id(), nullable=True),
        sa.Column("repeats_id", Id(), nullable=True),
        sa.Column("annulled_at", Instant(), nullable=True),
        sa.Column("annulled_by", Id(), nullable=True),
        sa.Column("annul_reason", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
        sa.UniqueConstraint("scan_id", "asked_by", name=op.f("uq_scans_scan_id_asked_by")),
    )
    op.create_index("ix_scans_gym_id_id", "scans", ["gym_id", "id"], unique=False)
    op.create_index("ix_scans_member_id_decided_at", "scans", ["member_id", "decided_at"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", Id(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("picture_url", sa.String(length=500), nullable=True),
        sa.Column("banned_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "visits",
        sa.Column("id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=True),
        sa.Column("gate_id", Id(), nullable=True),
        sa.Column("pass_issued_at", Instant(), nullable=True),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.Column("entered_scan", Id(), nullable=True),
        sa.Column("left_at", Instant(), nullable=True),
        sa.Column("left_scan", Id(), nullable=True),
        sa.Column("inferred", code(32), nullable=True),
        sa.Column("annulled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visits")),
        sa.UniqueConstraint("member_id", "pass_issued_at", name=op.f("uq_visits_member_id_pass_issued_at")),
    )
    op.create_index("ix_visits_gym_id_id", "visits", ["gym_id", "id"], unique=False)
    op.create_index("ix_visits_member_id_id", "visits", ["member_id", "id"], unique=False)

    op.create_table(
        "gyms",
        sa.Column("id", Id(), nullable=False),
        sa.Column("legacy_number", sa.Integer(), nullable=False),
        sa.Column("company_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=500), nullable=False),
        sa.Column("time_zone", code(64), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("reentry_after_s", sa.Integer(), nullable=True),
        sa.Column("grace_after_closing_s", sa.Integer(), nullable=False),
        sa.Column("longest_visit_s", sa.Integer(), nullable=False),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_gyms_company_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gyms")),
        sa.UniqueConstraint("legacy_number", name=op.f("uq_gyms_legacy_number")),
    )
    op.create_table(
        "plans",
        sa.Column("id", Id(), nullable=False),
        sa.Column("company_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("price_amount", sa.Integer(), nullable=False),
        sa.Column("price_currency", code(3), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("covers_all_gyms", sa.Boolean(), nullable=False),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_plans_company_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.create_table(
        "user_roles",
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("role", code(16), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_roles_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "role", name=op.f("pk_user_roles")),
    )
    op.create_table(
        "gates",
        sa.Column("id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("serves", code(8), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["gym_id"], ["gyms.id"], name=op.f("fk_gates_gym_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gates")),
    )
    op.create_index("ix_gates_gym_id", "gates", ["gym_id"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("id", Id(), nullable=False),
        sa.Column("member_id", Id(), nullable=False),
        sa.Column("plan_id", Id(), nullable=False),
        sa.Column("starts_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.Column("frozen_from", Instant(), nullable=True),
        sa.Column("frozen_until", Instant(), nullable=True),
        sa.Column("in_arrears_since", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["users.id"], name=op.f("fk_memberships_member_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_memberships_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
    )
    op.create_index("ix_memberships_member_id", "memberships", ["member_id"], unique=False)

    op.create_table(
        "opening_hours",
        sa.Column("id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("opens_minute", sa.SmallInteger(), nullable=False),
        sa.Column("closes_minute", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["gym_id"], ["gyms.id"], name=op.f("fk_opening_hours_gym_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_hours")),
    )
    op.create_index("ix_opening_hours_gym_id", "opening_hours", ["gym_id"], unique=False)

    op.create_table(
        "plan_gyms",
        sa.Column("plan_id", Id(), nullable=False),
        sa.Column("gym_id", Id(), nullable=False),
        sa.ForeignKeyConstraint(["gym_id"], ["gyms.id"], name=op.f("fk_plan_gyms_gym_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_gyms_plan_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "gym_id", name=op.f("pk_plan_gyms")),
    )
    op.create_table(
        "gate_devices",
        sa.Column("id", Id(), nullable=False),
        sa.Column("gate_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("secret_hash", code(64), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_gate_devices_gate_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate_devices")),
    )
    op.create_index("ix_gate_devices_gate_id", "gate_devices", ["gate_id"], unique=False)


def downgrade() -> None:
    """Take it back."""
    op.drop_table("gate_devices")
    op.drop_table("plan_gyms")
    op.drop_table("opening_hours")
    op.drop_table("memberships")
    op.drop_table("gates")
    op.drop_table("user_roles")
    op.drop_table("plans")
    op.drop_table("gyms")
    op.drop_table("visits")
    op.drop_table("users")
    op.drop_table("scans")
    op.drop_table("outbox")
    op.drop_table("open_visits")
    op.drop_table("companies")
