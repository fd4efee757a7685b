"""A member's stored visits and scans, and the changes by which a correction updates them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.door.events import DoorEvent
from domain.door.machine_model import EndedUse, OpenUse, PastUse
from domain.door.model import AnnulRequest, Conflict, Inferred, Outcome, ScanRequest
from domain.door.state import LockedMember, OpenVisit, VisitRow
from domain.door.timeline import GateScan, OfflineEntry, RuleEnd
from domain.memberships.model import HeldMembership

# Longer than a code is valid and an answer is repeated. Facts that are older do not affect a scan.
MARGIN = timedelta(minutes=10)
# Limits for one member; more would make a replay take seconds: one code uploaded in a loop, a phone left at a scanner.
MAX_UPLOADS = 200
MAX_SCANS = 2000  # accepted scans of any kind


@dataclass(frozen=True, slots=True)
class StoredFact:
    """An accepted scan as a fact of the timeline, and the visit that its row names.

    Args:
        arrived_at: None for the scan that is recorded now.
        scanned_at: by the device's clock.
    """

    fact: GateScan | OfflineEntry
    visit_id: UUID | None
    annulled: bool
    arrived_at: datetime | None = None
    scanned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VisitValues:
    """The columns of a visit that a correction may change."""

    pass_issued_at: datetime | None
    entered_at: datetime
    entered_scan: UUID | None
    left_at: datetime | None
    left_scan: UUID | None
    inferred: Inferred | None


@dataclass(frozen=True, slots=True)
class StoredVisit:
    """A visit as it is stored.

    Args:
        rule: the rule that ended it, even if a scan determines its end now.
    """

    id: UUID
    gym_id: UUID
    values: VisitValues
    annulled: bool
    rule: RuleEnd | None

    @property
    def is_open(self) -> bool:
        """Whether the member is inside by this visit."""
        return self.values.left_at is None and not self.annulled


@dataclass(frozen=True, slots=True)
class MemberHistory:
    """What a correction of a member's visits needs.

    Args:
        begin: the correction replays the facts since then.
        deleted_at: when the account was deleted.
        facts: accepted scans since `MARGIN` before `begin`, annulled ones too.
        visits: those that lasted beyond `begin`, or that a rule ended after it; annulled ones too.
        code_visits: pairs of a visit and its code, for all codes of the facts.
        conflicts: listed conflicts of offline scans, by the scan's row.
        memberships, companies: for the entitlement at the time of an offline scan; companies by gym.
        uses: open uses of machines, by visit.
        past_uses: uses that ended with one of the visits, the latest first.
    """

    member: LockedMember
    begin: datetime
    deleted_at: datetime | None
    facts: Sequence[StoredFact]
    visits: Sequence[StoredVisit]
    code_visits: Sequence[tuple[UUID, datetime]]
    conflicts: Mapping[UUID, Conflict]
    memberships: Sequence[HeldMembership]
    companies: Mapping[UUID, UUID]
    uses: Mapping[UUID, OpenUse]
    past_uses: Sequence[PastUse]


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """A conflict of an offline scan, to be listed for the staff.

    Args:
        scan: the scan's row.
        is_listed: a conflict of this scan is listed already; its kind changes.
    """

    scan: UUID
    gym_id: UUID
    kind: Conflict
    is_listed: bool


@dataclass(slots=True)
class VisitCorrection:
    """The changes that make stored visits agree with the facts. They are saved in this order.

    Args:
        member_id: whose visits; None: nothing but a conflict, or the visit of a deleted account, changes.
        ended_uses: uses of machines that end.
        closed: visits that are no longer open.
        annulled: visits that no scan supports any more.
        freed_codes: visits that give up their code before another visit takes it.
        changed: new values of visits.
        new_visits: visits to add; those without an end are open.
        reopened: a visit that is open again.
        moved: the open visit began at another time.
        resumed_use: the use of a machine that continues.
        visit_of_scan: the visit that each scan's row names from now on.
        dropped_conflicts: scans whose conflict is resolved.
        conflicts: conflicts to list.
    """

    member_id: UUID | None = None
    ended_uses: list[EndedUse] = field(default_factory=list)
    closed: list[UUID] = field(default_factory=list)
    annulled: list[UUID] = field(default_factory=list)
    freed_codes: list[UUID] = field(default_factory=list)
    changed: list[tuple[UUID, VisitValues]] = field(default_factory=list)
    new_visits: list[VisitRow] = field(default_factory=list)
    reopened: OpenVisit | None = None
    moved: OpenVisit | None = None
    resumed_use: OpenUse | None = None
    visit_of_scan: dict[UUID, UUID | None] = field(default_factory=dict)
    dropped_conflicts: set[UUID] = field(default_factory=set)
    conflicts: list[ConflictRow] = field(default_factory=list)
    events: list[DoorEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AnnulledRow:
    """An annulment, to be written.

    Args:
        scan: the row of the scan; None: the scan was never seen, and a tombstone is written for it.
        occupancy, capacity: of the gym, for a tombstone.
    """

    request: AnnulRequest
    scan: UUID | None
    occupancy: int
    capacity: int


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An offline scan, to be written.

    Args:
        is_stored: the row exists, because a gate had refused this scan.
        occupancy, capacity: of the gym, before the scan.
    """

    id: UUID
    is_stored: bool
    scan: ScanRequest
    member_id: UUID | None
    outcome: Outcome
    occupancy: int
    capacity: int


@dataclass(frozen=True, slots=True)
class HistoryChanges:
    """Everything that an annulment or an upload writes."""

    annulled: AnnulledRow | None = None
    upload: UploadRow | None = None
    correction: VisitCorrection = field(default_factory=VisitCorrection)
    events: list[DoorEvent] = field(default_factory=list)
