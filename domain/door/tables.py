"""Tables that the door writes: scans, visits, head counts, and the use of machines."""

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, String, Table, UniqueConstraint

from domain.column_types import Id, Instant, code
from domain.metadata import metadata

# Requests to use or release a machine, each with its answer, also refusals. A log like `scans`.
machine_requests = Table(
    "machine_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("request_id", code(64), nullable=False),  # the client's own
    Column("asked_by", Id, nullable=False),
    Column("gym_id", Id, nullable=False),
    Column("machine_id", Id, nullable=False),
    Column("member_id", Id, nullable=False),
    Column("action", code(8), nullable=False),  # use, release
    Column("arrived_at", Instant, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("outcome", code(8), nullable=False),  # used, released, refused
    Column("reason", code(32)),
    Column("use_id", Id),
    UniqueConstraint("request_id", "asked_by"),
)


machine_uses = Table(
    "machine_uses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("machine_id", Id, nullable=False),
    Column("gym_id", Id, nullable=False),
    Column("member_id", Id),  # null once the account is deleted
    Column("visit_id", Id, nullable=False, index=True),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("inferred", code(32)),  # why it was ended without a release of its own
    Index("ix_machine_uses_machine_id_id", "machine_id", "id"),
    Index("ix_machine_uses_member_id_id", "member_id", "id"),
    Index("ix_machine_uses_gym_id_id", "gym_id", "id"),
)


open_machine_uses = Table(
    "open_machine_uses",
    metadata,
    Column("machine_id", Id, primary_key=True),  # used by one member
    Column("use_id", Id, nullable=False, unique=True),
    Column("gym_id", Id, nullable=False, index=True),
    Column("member_id", Id, nullable=False, unique=True),  # who uses one machine
    Column("visit_id", Id, nullable=False, unique=True),
    Column("started_at", Instant, nullable=False),
)


# Every scan appends to this log. It has no foreign keys, because it also stores requests with unknown ids.
scans = Table(
    "scans",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scan_id", code(64), nullable=False),  # the client's own
    Column("asked_by", Id, nullable=False),  # device or user
    Column("gym_id", Id, nullable=False),
    Column("gate_id", Id),  # null for the tombstone of a scan that was annulled unseen
    Column("direction", code(8)),
    Column("member_id", Id),
    Column("pass_status", code(8)),
    Column("pass_issued_at", Instant),
    Column("scanned_at", Instant),  # by the device's clock
    Column("arrived_at", Instant, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("outcome", code(8), nullable=False),
    Column("reason", code(32)),
    Column("remedy", code(32)),
    Column("occupancy", Integer, nullable=False),  # of the gym, just after
    Column("capacity", Integer, nullable=False),
    Column("visit_id", Id),
    Column("repeats_id", Id),  # the scan whose answer was given again to a phone held up
    Column("annulled_at", Instant),
    Column("annulled_by", Id),
    Column("annul_reason", String(200)),
    Column("offline", Boolean),  # null: decided while somebody waited at the gate
    UniqueConstraint("scan_id", "asked_by"),
    Index("ix_scans_member_id_decided_at", "member_id", "decided_at"),
    Index("ix_scans_gym_id_id", "gym_id", "id"),
)


visits = Table(
    "visits",
    metadata,
    Column("id", Id, primary_key=True),
    Column("gym_id", Id, nullable=False),
    Column("member_id", Id),  # null: added by a head count, or its member's account was deleted
    Column("gate_id", Id),
    Column("pass_issued_at", Instant),  # null once annulled: the pass may be used again
    Column("entered_at", Instant, nullable=False),
    Column("entered_scan", Id),
    Column("left_at", Instant),
    Column("left_scan", Id),  # the scan that ended it, an entry elsewhere included
    Column("inferred", code(32)),  # why it was ended without a scan of its own
    Column("annulled_at", Instant),
    # When a rule ended the visit: a head count, a forgotten visit, a deleted account. Stays when a later scan ends the
    # visit differently, because that scan may be annulled.
    Column("rule_ended_at", Instant),
    Column("rule", code(32)),
    CheckConstraint("left_at >= entered_at", name="left_after_entered"),
    UniqueConstraint("member_id", "pass_issued_at"),
    Index("ix_visits_member_id_id", "member_id", "id"),
    Index("ix_visits_gym_id_id", "gym_id", "id"),
)


open_visits = Table(
    "open_visits",
    metadata,
    Column("visit_id", Id, primary_key=True),
    Column("gym_id", Id, nullable=False, index=True),
    Column("member_id", Id, unique=True),  # null for an anonymous one
    Column("entered_at", Instant, nullable=False),
)


head_counts = Table(
    "head_counts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("count_id", code(64), nullable=False),  # the client's own
    Column("gym_id", Id, nullable=False),
    Column("by_id", Id, nullable=False),
    Column("counted", Integer, nullable=False),
    Column("inside_before", Integer, nullable=False),  # open visits
    Column("closed", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("counted_at", Instant, nullable=False),
    UniqueConstraint("count_id", "by_id"),
    Index("ix_head_counts_gym_id_id", "gym_id", "id"),
)


# Offline scans that contradict stored scans or memberships. Staff resolve them.
scan_conflicts = Table(
    "scan_conflicts",
    metadata,
    Column("id", Id, primary_key=True),  # the scan's row
    Column("gym_id", Id, nullable=False),
    Column("kind", code(32), nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("settled_by", Id),
    Column("note", String(200)),
    Index("ix_scan_conflicts_gym_id_id", "gym_id", "id"),
)
