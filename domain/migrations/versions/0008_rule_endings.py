"""Visits store when a rule ended them, and which rule; no visit ends before it begins.

Can be repeated after an interruption.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from domain.column_types import Id, Instant, code
from domain.migrations.existing_schema import existing_checks, existing_columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BY_RULE = ("head_count", "forgotten", "account_deleted")
_CHECK = "ck_visits_left_after_entered"
_VISITS = sa.table(
    "visits",
    *(sa.column(name, Id()) for name in ("id", "member_id", "entered_scan", "left_scan")),
    *(sa.column(name, Instant()) for name in ("entered_at", "left_at", "rule_ended_at", "annulled_at")),
    *(sa.column(name) for name in ("inferred", "rule")),
)
_SCANS = sa.table("scans", *(sa.column(name) for name in ("id", "member_id", "visit_id", "offline")))


def upgrade() -> None:
    """Add the columns, fill them from existing visits, and add the check."""
    existing = existing_columns(op.get_bind(), "visits")
    if "rule_ended_at" not in existing:
        op.add_column("visits", sa.Column("rule_ended_at", Instant(), nullable=True))
    if "rule" not in existing:
        op.add_column("visits", sa.Column("rule", code(32), nullable=True))
    op.execute(
        sa.update(_VISITS)
        .where(
            _VISITS.c.left_scan.is_(None),
            _VISITS.c.left_at.is_not(None),
            _VISITS.c.inferred.in_(_BY_RULE),
            _VISITS.c.rule_ended_at.is_(None),  # an interrupted run may have filled it, before it changed `left_at`
        )
        .values(rule_ended_at=_VISITS.c.left_at, rule=_VISITS.c.inferred)
    )
    op.execute(sa.update(_VISITS).where(_VISITS.c.left_at < _VISITS.c.entered_at).values(left_at=_VISITS.c.entered_at))
    begun = (
        sa.select(_VISITS.c.id)
        .where(
            _VISITS.c.member_id == _SCANS.c.member_id,
            _VISITS.c.entered_scan == _SCANS.c.id,
            _VISITS.c.annulled_at.is_(None),
        )
        .scalar_subquery()
    )
    op.execute(sa.update(_SCANS).where(_SCANS.c.offline.is_not(None)).values(visit_id=begun))
    if _CHECK in existing_checks(op.get_bind(), "visits"):
        return
    # SQLite has no ALTER TABLE for a check: the table is created again.
    with op.batch_alter_table("visits", copy_from=_visits()) as visits:
        visits.create_check_constraint(op.f(_CHECK), "left_at >= entered_at")


def downgrade() -> None:
    """Drop the check and the columns."""
    with op.batch_alter_table(
        "visits", copy_from=_visits(sa.CheckConstraint("left_at >= entered_at", name=_CHECK))
    ) as visits:
        visits.drop_constraint(op.f(_CHECK), type_="check")
    for name in ("rule", "rule_ended_at"):
        op.drop_column("visits", name)


def _visits(*constraints: sa.Constraint) -> sa.Table:
    """The table as it is before the check."""
    return sa.Table(
        "visits",
        sa.MetaData(),
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
        sa.Column("rule_ended_at", Instant(), nullable=True),
        sa.Column("rule", code(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_visits"),
        sa.UniqueConstraint("member_id", "pass_issued_at", name="uq_visits_member_id_pass_issued_at"),
        sa.Index("ix_visits_member_id_id", "member_id", "id"),
        sa.Index("ix_visits_gym_id_id", "gym_id", "id"),
        *constraints,
    )
