"""What the door is asked, what it knows, and what it answers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.door.machine_model import MachineAnswer


class Direction(StrEnum):
    """Where the member wants to go; `auto` is the opposite of where they are."""

    ENTER = "enter"
    LEAVE = "leave"
    AUTO = "auto"


class Outcome(StrEnum):
    """What became of a scan."""

    ENTERED = "entered"
    LEFT = "left"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why a scan was refused. Stable: clients compare these."""

    UNKNOWN_PASS = "unknown_pass"  # noqa: S105 - a word, not a secret
    EXPIRED_PASS = "expired_pass"  # noqa: S105 - a word, not a secret
    USED_PASS = "used_pass"  # noqa: S105 - a word, not a secret
    WRONG_GYM = "wrong_gym"
    NO_MEMBERSHIP = "no_membership"
    MEMBERSHIP_ENDED = "membership_ended"
    MEMBERSHIP_FROZEN = "membership_frozen"
    IN_ARREARS = "in_arrears"
    GYM_FULL = "gym_full"
    ALREADY_INSIDE = "already_inside"
    GYM_CLOSED = "gym_closed"
    BANNED = "banned"
    TOO_LATE = "too_late"


class Remedy(StrEnum):
    """What would mend a refusal, or what the member should know on the way in (`renew` during grace)."""

    OPEN_APP = "open_app"
    REFRESH_PASS = "refresh_pass"  # noqa: S105 - a word, not a secret
    CHANGE_PLAN = "change_plan"
    BUY_MEMBERSHIP = "buy_membership"
    RENEW = "renew"
    UNFREEZE = "unfreeze"
    PAY = "pay"
    WAIT = "wait"
    LEAVE_FIRST = "leave_first"
    COME_BACK_LATER = "come_back_later"
    ASK_STAFF = "ask_staff"
    SCAN_AGAIN = "scan_again"


class PassStatus(StrEnum):
    """What a pass says of itself when it arrives."""

    VALID = "valid"
    STALE = "stale"  # genuine, shown too long after its issue time or too early before it
    FORGED = "forged"  # names nobody


class Inferred(StrEnum):
    """Why a visit was ended without a scan of its own."""

    ENTERED_ELSEWHERE = "entered_elsewhere"
    ENTERED_AGAIN = "entered_again"
    ACCOUNT_DELETED = "account_deleted"
    HEAD_COUNT = "head_count"
    FORGOTTEN = "forgotten"  # open past the gym's longest visit, or past closing time and grace


class Conflict(StrEnum):
    """What does not fit of a scan that was made while the server was out of reach. Stable: clients compare these."""

    UNKNOWN_PASS = "unknown_pass"  # noqa: S105 - a word, not a secret
    UNKNOWN_MEMBER = "unknown_member"
    LATER_SCAN = "later_scan"  # one that was decided at a gate is later: no visit is opened or ended any more
    USED_PASS = "used_pass"  # noqa: S105 - a word, not a secret
    ALREADY_INSIDE = "already_inside"
    NOT_INSIDE = "not_inside"
    BANNED = "banned"
    NO_MEMBERSHIP = "no_membership"  # none that would have let them in at that time
    ANNULLED = "annulled"  # the scan was annulled, and the device did what it says all the same
    TOO_MANY = "too_many"  # more of one member than anybody can make; it makes no visit
    DECIDED_OTHERWISE = "decided_otherwise"  # the gate decided `left`, and the device let somebody in; or the reverse


@dataclass(frozen=True, slots=True)
class PassReading:
    """What a scanned code turned out to be; all but its status is known of genuine ones only.

    Args:
        validity_s: for how many seconds a long-lived pass is good from its issue time; None: an ordinary pass.
    """

    status: PassStatus
    member_id: UUID | None = None
    issued_at: datetime | None = None
    validity_s: int | None = None

    @property
    def validity(self) -> timedelta | None:
        """How long a long-lived pass is good from its issue time."""
        return None if self.validity_s is None else timedelta(seconds=self.validity_s)


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """One scan, as it is put to the door.

    Args:
        scan_id: the client's own id, unique for `asked_by`.
        asked_by: the gate device or the user that scanned.
        scanned_at: by the device's clock, which may be wrong; kept, never decided upon.
        arrived_at: by the server's clock.
        payment_checked: whether the payment side was asked already; then the answer is final.
    """

    scan_id: str
    asked_by: UUID
    gym_id: UUID
    gate_id: UUID
    direction: Direction
    reading: PassReading
    arrived_at: datetime
    decide_by: datetime
    scanned_at: datetime | None = None
    payment_checked: bool = False


@dataclass(frozen=True, slots=True)
class OfflineScan:
    """A scan that a device made while the server was out of reach, and uploads now. It knows what it did: no `auto`."""

    scan: ScanRequest

    @property
    def gym_id(self) -> UUID:
        """Where it was made."""
        return self.scan.gym_id


@dataclass(frozen=True, slots=True)
class AnnulRequest:
    """Undo a scan as if it had not been.

    Args:
        scan_id, asked_by: name the scan as it was put.
        by: who annuls: the device itself, or a staff member.
        by_staff: staff may annul at any time, a device only within the window.
        decide_by: until when an answer is awaited; an annulment that comes later is carried out all the same.
    """

    scan_id: str
    asked_by: UUID
    gym_id: UUID
    by: UUID
    by_staff: bool
    reason: str
    arrived_at: datetime
    decide_by: datetime


@dataclass(frozen=True, slots=True)
class EndVisitRequest:
    """End a member's open visit without a scan, for a reason outside the door.

    Args:
        gym_id: where they are thought to be; a visit open elsewhere is left alone.
        inferred: why; kept with the visit.
        decide_by: until when an answer is awaited; what comes later is carried out all the same.
    """

    member_id: UUID
    gym_id: UUID
    inferred: Inferred
    arrived_at: datetime
    decide_by: datetime


@dataclass(frozen=True, slots=True)
class ShownMember:
    """What a gate shows of the member to staff."""

    id: UUID
    name: str
    picture_url: str | None


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    """The answer to one scan, in the shape of `POST /api/scans`."""

    scan_id: str
    outcome: Outcome
    reason: Reason | None
    remedy: Remedy | None
    member: ShownMember | None
    gym_id: UUID
    occupancy: int
    capacity: int
    decided_at: datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class AnnulAnswer:
    """The answer to `POST /api/scans/{id}/annul`; asked again, with the occupancy of then.

    Args:
        over_capacity: more members are inside than the gym holds, as after an annulled exit.
    """

    scan_id: str
    annulled_at: datetime
    gym_id: UUID
    occupancy: int
    capacity: int
    over_capacity: bool = False


@dataclass(frozen=True, slots=True)
class EndVisitAnswer:
    """The member has no open visit at the gym any more.

    Args:
        ended: whether there was one; asked again, there is none.
    """

    member_id: UUID
    gym_id: UUID
    ended: bool
    occupancy: int
    capacity: int
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class OfflineAnswer:
    """What became of a scan that was made while the server was out of reach. It is a fact: recorded, never refused.

    Args:
        occurred_at: when it was, as far as the pass that was shown can vouch for the device's clock.
        conflict: what does not fit, for the staff to look at; None where all fits.
        replayed: whether it was known before, from an upload or decided while somebody waited at the gate.
    """

    scan_id: str
    gym_id: UUID
    occurred_at: datetime
    conflict: Conflict | None
    occupancy: int
    capacity: int
    recorded_at: datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class HeadCountRequest:
    """Staff have counted heads: as many are inside as they say.

    Args:
        count_id: the client's own id, unique for `by`; a repeated one changes nothing.
        decide_by: a count is true when it is made; one that would be taken in later is refused.
    """

    count_id: str
    gym_id: UUID
    by: UUID
    counted: int
    reason: str
    arrived_at: datetime
    decide_by: datetime


@dataclass(frozen=True, slots=True)
class HeadCountAnswer:
    """What a head count has changed.

    Args:
        before: open visits until then.
        closed: how many of the oldest were ended.
        added: how many without a name were begun.
    """

    count_id: str
    gym_id: UUID
    counted: int
    before: int
    closed: int
    added: int
    occupancy: int
    capacity: int
    counted_at: datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class TidyRequest:
    """End what was forgotten at a gym: visits past their limits, and uses of machines that last too long."""

    gym_id: UUID
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class TidyAnswer:
    """How many visits and uses of machines were ended by rule."""

    gym_id: UUID
    visits: int
    uses: int
    decided_at: datetime


class Problem(StrEnum):
    """Why a question to the door could not be answered at all."""

    SCAN_ID_REUSED = "scan_id_reused"  # the same id with another gate or direction
    ANNUL_WINDOW_OVER = "annul_window_over"
    UNKNOWN_GYM = "unknown_gym"
    UNKNOWN_MACHINE = "unknown_machine"
    REQUEST_ID_REUSED = "request_id_reused"  # the same id for another machine or action
    COUNT_TOO_LATE = "count_too_late"
    COUNT_NOT_PLAUSIBLE = "count_not_plausible"
    NOT_DECIDED = "not_decided"  # the command failed by itself and went to the dead letters


@dataclass(frozen=True, slots=True)
class Rejected:
    """A question that is not answered, with what is wrong and what would mend it."""

    problem: Problem
    detail: str


@dataclass(frozen=True, slots=True)
class CheckPayment:
    """A payment could mend the refusal and an order is open: nothing was recorded; ask Payments, then ask again."""

    scan_id: str
    member_id: UUID


DoorResult = (
    ScanAnswer
    | AnnulAnswer
    | EndVisitAnswer
    | OfflineAnswer
    | HeadCountAnswer
    | TidyAnswer
    | MachineAnswer
    | Rejected
    | CheckPayment
)


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Figures of the door that settings may change."""

    repeat_window: timedelta = timedelta(seconds=15)
    annul_window: timedelta = timedelta(minutes=15)
