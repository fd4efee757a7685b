"""Requests to the door and their answers. The messages on Kafka contain these."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.door.machine_model import MachineAnswer, MachineRequest


class Direction(StrEnum):
    """Which way the member passes the gate; `auto` is the opposite of where they are."""

    ENTER = "enter"
    LEAVE = "leave"
    AUTO = "auto"


class Outcome(StrEnum):
    """The result of a scan."""

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
    """How to resolve a refusal; with an entry, advice for the member (`renew` in the grace period)."""

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
    """Whether the shown pass is genuine and in time."""

    VALID = "valid"
    STALE = "stale"  # genuine, shown too long after its issue time or too early before it
    FORGED = "forged"  # names nobody


class Inferred(StrEnum):
    """Why a visit ended without an exit scan."""

    ENTERED_ELSEWHERE = "entered_elsewhere"
    ENTERED_AGAIN = "entered_again"
    ACCOUNT_DELETED = "account_deleted"
    HEAD_COUNT = "head_count"
    FORGOTTEN = "forgotten"  # open past the gym's longest visit, or past closing time plus grace


class Conflict(StrEnum):
    """Why an offline scan contradicts other records. Stable: clients compare these."""

    UNKNOWN_PASS = "unknown_pass"  # noqa: S105 - a word, not a secret
    UNKNOWN_MEMBER = "unknown_member"
    LATER_SCAN = "later_scan"  # a gate had decided a later scan; that decision stays
    USED_PASS = "used_pass"  # noqa: S105 - a word, not a secret
    ALREADY_INSIDE = "already_inside"
    NOT_INSIDE = "not_inside"
    BANNED = "banned"
    NO_MEMBERSHIP = "no_membership"  # none that was valid for entry at that time
    ANNULLED = "annulled"  # the scan was annulled, but the device acted on it
    TOO_MANY = "too_many"  # more scans of one member than are plausible; it makes no visit
    DECIDED_OTHERWISE = "decided_otherwise"  # the gate decided `left`, and the device let somebody in; or the reverse


@dataclass(frozen=True, slots=True)
class PassReading:
    """The result of verifying a scanned code. Only a genuine code has more than a status.

    Args:
        validity_s: lifetime of a long-lived pass in seconds from its issue time; None: an ordinary pass.
    """

    status: PassStatus
    member_id: UUID | None = None
    issued_at: datetime | None = None
    validity_s: int | None = None

    @property
    def validity(self) -> timedelta | None:
        """Lifetime of a long-lived pass from its issue time."""
        return None if self.validity_s is None else timedelta(seconds=self.validity_s)


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """A scan at a gate.

    Args:
        scan_id: the client's own id, unique for `asked_by`.
        asked_by: the gate device or the user that scanned.
        scanned_at: by the device's clock, which may be wrong; stored, never used for a decision.
        arrived_at: by the server's clock.
        payment_checked: the payment provider was asked already; the answer is final.
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
    """A scan that a device made without the server and uploads now. Its direction is never `auto`."""

    scan: ScanRequest

    @property
    def gym_id(self) -> UUID:
        """The gym of the scan."""
        return self.scan.gym_id


@dataclass(frozen=True, slots=True)
class AnnulRequest:
    """Annul a scan: undo all its effects.

    Args:
        scan_id, asked_by: those of the scan.
        by: who annuls it: the device itself, or a staff member.
        by_staff: staff may annul at any time, a device only within `DoorLimits.annul_window`.
        decide_by: until when the caller waits for the answer; a later annulment is still carried out.
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
    """End a member's open visit without a scan, such as when the account is deleted.

    Args:
        gym_id: the gym of the visit; an open visit at another gym does not end.
        inferred: why; stored with the visit.
        decide_by: until when the caller waits for the answer; a later request is still carried out.
    """

    member_id: UUID
    gym_id: UUID
    inferred: Inferred
    arrived_at: datetime
    decide_by: datetime


@dataclass(frozen=True, slots=True)
class ShownMember:
    """The member as a gate shows them to staff."""

    id: UUID
    name: str
    picture_url: str | None


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    """The answer to a scan, as `POST /api/scans` returns it."""

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
    """The answer to `POST /api/scans/{id}/annul`. A repeated request gets the current occupancy.

    Args:
        over_capacity: more members are inside than the gym's capacity, as after an annulled exit.
    """

    scan_id: str
    annulled_at: datetime
    gym_id: UUID
    occupancy: int
    capacity: int
    over_capacity: bool = False


@dataclass(frozen=True, slots=True)
class EndVisitAnswer:
    """The member has no open visit at the gym now.

    Args:
        ended: whether this request ended one; False when it is repeated.
    """

    member_id: UUID
    gym_id: UUID
    ended: bool
    occupancy: int
    capacity: int
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class OfflineAnswer:
    """The answer to an offline scan. Such a scan is a fact: recorded, never refused.

    Args:
        occurred_at: when it was made: the device's time, bounded by the lifetime of the shown pass.
        conflict: what contradicts other records, listed for the staff; None without a conflict.
        replayed: the scan was uploaded before, or decided at the gate.
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
    """The number of people that staff counted inside a gym.

    Args:
        count_id: the client's own id, unique for `by`; a repeated one changes nothing.
        decide_by: the deadline; a count that arrives later is refused, as it may be wrong by then.
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
    """What a head count changed.

    Args:
        before: open visits before the count.
        closed: number of oldest visits that ended.
        added: number of anonymous visits that began.
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
class ExpireVisitsRequest:
    """End forgotten visits and uses of machines at a gym: those that last longer than its limits allow."""

    gym_id: UUID
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class ExpireVisitsAnswer:
    """Numbers of visits and uses of machines that ended by rule."""

    gym_id: UUID
    visits: int
    uses: int
    decided_at: datetime


class Problem(StrEnum):
    """Why a request to the door failed."""

    SCAN_ID_REUSED = "scan_id_reused"  # the same id with another gate or direction
    ANNUL_WINDOW_OVER = "annul_window_over"
    UNKNOWN_GYM = "unknown_gym"
    UNKNOWN_MACHINE = "unknown_machine"
    REQUEST_ID_REUSED = "request_id_reused"  # the same id for another machine or action
    COUNT_TOO_LATE = "count_too_late"
    COUNT_NOT_PLAUSIBLE = "count_not_plausible"
    NOT_DECIDED = "not_decided"  # the command raised an error and went to the dead letters


@dataclass(frozen=True, slots=True)
class Rejected:
    """A request that failed. `detail` states what is wrong and how to resolve it."""

    problem: Problem
    detail: str


@dataclass(frozen=True, slots=True)
class CheckPayment:
    """A payment could lift the refusal and an order is open. Nothing was recorded: ask Payments, then scan again."""

    scan_id: str
    member_id: UUID


DoorRequest = (
    ScanRequest | AnnulRequest | EndVisitRequest | OfflineScan | HeadCountRequest | ExpireVisitsRequest | MachineRequest
)
DoorResult = (
    ScanAnswer
    | AnnulAnswer
    | EndVisitAnswer
    | OfflineAnswer
    | HeadCountAnswer
    | ExpireVisitsAnswer
    | MachineAnswer
    | Rejected
    | CheckPayment
)


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Limits of the door that settings may change.

    Args:
        repeat_window: how long an accepted answer is given again to a phone that stays at the scanner.
        annul_window: how long a device may annul its own scan.
    """

    repeat_window: timedelta = timedelta(seconds=15)
    annul_window: timedelta = timedelta(minutes=15)
