"""The loaded state on which decisions about scans are based, and the changes that decisions make to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.door.events import DoorEvent
from domain.door.machine_model import EndedUse, OpenUse
from domain.door.model import (
    Direction,
    Inferred,
    Outcome,
    PassStatus,
    ScanAnswer,
    ScanRequest,
    ShownMember,
)
from domain.door.timeline import occurred_at
from domain.gyms.opening_hours import OpeningException, OpeningHours
from domain.memberships.model import HeldMembership, Membership

ScanKey = tuple[str, UUID]
"""The client's scan id, and the device or user whose id it is."""
ShownCode = tuple[UUID, datetime]
"""A member, and the issue time of the code that they showed."""


@dataclass(frozen=True, slots=True)
class LockedGym:
    """A gym whose row is locked."""

    id: UUID
    company_id: UUID
    capacity: int
    reentry_after: timedelta | None
    time_zone: str
    retired: bool


@dataclass(frozen=True, slots=True)
class LockedMember:
    """A member whose row is locked.

    Args:
        banned: banned by the staff, or the account is disabled.
        deleted: the account is deleted, though its row still exists. Scans treat such a member as unknown.
    """

    shown: ShownMember
    banned: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class LockedRows:
    """The rows that a batch has locked.

    Args:
        gyms, members: by id; ids that do not exist are left out.
        waiting: positions in the batch of requests whose gym or member another transaction has locked.
    """

    gyms: Mapping[UUID, LockedGym]
    members: Mapping[UUID, LockedMember]
    waiting: frozenset[int]


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """The visit of a member who is inside a gym."""

    visit_id: UUID
    gym_id: UUID
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class AcceptedScan:
    """A scan that let the member in or out.

    Args:
        id: the first scan that got this answer, annulled or not.
        occupancy, capacity: of the gym, as the answer stated them.
        visit_id: the visit that it began or ended.
    """

    id: UUID
    gate_id: UUID
    outcome: Outcome
    decided_at: datetime
    pass_issued_at: datetime | None
    occupancy: int
    capacity: int
    visit_id: UUID | None


@dataclass(frozen=True, slots=True)
class GymState:
    """The gym at the moment of a decision.

    Args:
        occupancy: number of open visits.
        is_open: within its opening hours and not retired.
        reentry_after: a visit that is older ends by inference when the member enters again; None: never.
    """

    id: UUID
    capacity: int
    occupancy: int
    is_open: bool
    reentry_after: timedelta | None


@dataclass(frozen=True, slots=True)
class MemberState:
    """The member at the moment of a decision.

    Args:
        memberships: seen from the gym of the scan.
        open_visit: at any gym.
        last_accepted: the latest accepted scan within the last minute, at any gate.
        code_entered, code_left: whether the shown code has let the member in, or out, before.
        entered_since: whether the member has entered by any code since the shown one was issued; set for long-lived
            passes only.
        payment_open: the member has an open order, whose payment could lift a refusal.
    """

    shown: ShownMember
    banned: bool
    memberships: tuple[Membership, ...]
    open_visit: OpenVisit | None
    last_accepted: AcceptedScan | None
    code_entered: bool
    code_left: bool
    payment_open: bool = False
    entered_since: bool = False


@dataclass(frozen=True, slots=True)
class Annulment:
    """When a scan was annulled, by whom, and why."""

    at: datetime
    by: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class StoredScan:
    """A scan that was decided, recorded or annulled before, with the answer that it got.

    Args:
        id: of its row; `answer.scan_id` is the client's.
        gate_id: None for the tombstone of a scan that was annulled before it arrived.
        offline: made by a device without the server and uploaded later.
        repeat: whether the answer of an earlier scan was given again.
    """

    id: UUID
    asked_by: UUID
    gate_id: UUID | None
    direction: Direction | None
    scanned_at: datetime | None
    arrived_at: datetime
    answer: ScanAnswer
    annulled: Annulment | None
    member_id: UUID | None
    pass_status: PassStatus | None
    pass_issued_at: datetime | None
    visit_id: UUID | None
    offline: bool
    repeat: bool = False

    @property
    def occurred_at(self) -> datetime:
        """When the scan took place: decided at the gate, or made without the server."""
        if self.offline:
            return occurred_at(self.scanned_at, self.pass_issued_at, self.arrived_at)
        return self.answer.decided_at


@dataclass(frozen=True, slots=True)
class LoadedGyms:
    """Opening hours and open visits, by gym; gyms without any are left out.

    Args:
        exceptions: of the days around the moment of loading.
        occupancy: number of open visits.
    """

    hours: dict[UUID, list[OpeningHours]] = field(default_factory=dict)
    exceptions: dict[UUID, list[OpeningException]] = field(default_factory=dict)
    occupancy: dict[UUID, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedMembers:
    """Where members are and what they hold.

    Args:
        open_visits: by member.
        memberships: by member.
        machine_uses: open uses of machines, by visit.
        paying: members with an open order.
    """

    open_visits: dict[UUID, OpenVisit] = field(default_factory=dict)
    memberships: dict[UUID, list[HeldMembership]] = field(default_factory=dict)
    machine_uses: dict[UUID, OpenUse] = field(default_factory=dict)
    paying: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class RecentScans:
    """What gates accepted recently, and which codes were used. Annulled scans are left out.

    Args:
        last: by member, within the last minute; of scans that got the same answer, the first one that is not annulled.
        left_by: codes that let somebody out within the last minute; long-lived codes: at any time of their validity.
        entered_by: those of the shown codes that belong to a visit, however old.
        last_entry: by member with a long-lived pass: the last entry by any code since that pass was issued.
    """

    last: dict[UUID, AcceptedScan] = field(default_factory=dict)
    left_by: set[ShownCode] = field(default_factory=set)
    entered_by: set[ShownCode] = field(default_factory=set)
    last_entry: dict[UUID, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoorState:
    """Everything that the decisions about a batch of scans need.

    Each decision updates its dictionaries, so that the next decision sees it.

    Args:
        stored: scans of the batch whose id was used before.
    """

    locked: LockedRows
    gyms: LoadedGyms
    members: LoadedMembers
    recent: RecentScans
    stored: Mapping[ScanKey, StoredScan]


@dataclass(frozen=True, slots=True)
class EntitlementState:
    """Whether a member may enter a gym by their memberships, apart from any scan.

    Args:
        banned: banned by the staff, or the account is disabled.
        memberships: seen from the gym.
        time_zones: of the memberships, by the time when they end.
    """

    banned: bool
    memberships: list[Membership]
    time_zones: Mapping[datetime, str]


@dataclass(frozen=True, slots=True)
class ScanRow:
    """A decided scan, to be written.

    Args:
        repeats_id: the scan whose answer was given again.
    """

    id: UUID
    request: ScanRequest
    answer: ScanAnswer
    visit_id: UUID | None
    repeats_id: UUID | None


@dataclass(slots=True)
class VisitRow:
    """A new visit, to be written. It may have ended within its batch.

    A visit that a head count adds has no member, gate or scan.
    """

    id: UUID
    gym_id: UUID
    member_id: UUID | None
    gate_id: UUID | None
    pass_issued_at: datetime | None
    entered_at: datetime
    entered_scan: UUID | None
    left_at: datetime | None = None
    left_scan: UUID | None = None
    inferred: Inferred | None = None


@dataclass(frozen=True, slots=True)
class VisitEnd:
    """The end of a stored visit by a scan."""

    visit_id: UUID
    left_at: datetime
    left_scan: UUID
    inferred: Inferred | None


@dataclass(frozen=True, slots=True)
class ScanChanges:
    """Everything that the decisions about a batch of scans write."""

    scans: list[ScanRow] = field(default_factory=list)
    new_visits: dict[UUID, VisitRow] = field(default_factory=dict)
    visit_ends: list[VisitEnd] = field(default_factory=list)
    ended_uses: list[EndedUse] = field(default_factory=list)
    events: list[DoorEvent] = field(default_factory=list)
