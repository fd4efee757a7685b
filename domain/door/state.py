"""What the door knows when it decides: the gym, the member, and what was answered a moment ago."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.door.model import Outcome, ShownMember
from domain.memberships.model import Membership


@dataclass(frozen=True, slots=True)
class GymState:
    """The gym at the moment of a decision.

    Args:
        occupancy: its open visits.
        is_open: within its opening hours and not retired.
        reentry_after: how long a visit lasts before entering again ends it by inference; None: never.
    """

    id: UUID
    capacity: int
    occupancy: int
    is_open: bool
    reentry_after: timedelta | None


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """Where the member is, by the store."""

    visit_id: UUID
    gym_id: UUID
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class AcceptedScan:
    """A scan that let the member in or out, and what was said of the gym with it.

    Args:
        id: the scan that was given this answer first, annulled or not.
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
class MemberState:
    """The member at the moment of a decision.

    Args:
        memberships: seen from the gym that is asked.
        open_visit: at any gym.
        last_accepted: the latest accepted scan within the last minute, at any gate.
        code_entered, code_left: whether the shown code has let the member in, or out, before.
        entered_since: whether the member has entered by any code since the shown one was issued; known of long-lived
            passes only.
        payment_open: an order is open that could mend a refusal.
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
