"""What members, staff and admins do about memberships."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select, update

from domain.identity.tables import users
from domain.memberships import bookings
from domain.memberships.bookings import FreezeLimits
from domain.memberships.ledger import Draft, EntryKind
from domain.memberships.periods import days_from
from domain.memberships.refusals import MembershipProblem, MembershipRefusal
from domain.memberships.repository import Held, LedgerRepository, Who

UNKNOWN_MEMBER = MembershipRefusal(
    MembershipProblem.UNKNOWN_MEMBER, "There is no such user. Whoever never signed in is not there yet."
)
_NOTHING = MembershipRefusal(
    MembershipProblem.NOTHING_TO_FREEZE, "There is no membership that still runs: nothing is left to freeze."
)


def freeze(
    connection: Connection,
    member_id: UUID,
    days: int,
    start: date | None,
    limits: FreezeLimits | None,
    who: Who,
    now: datetime,
) -> list[Held] | MembershipRefusal:
    """Freeze a member for whole days; every membership that still runs. The end of each moves by the days frozen.

    Args:
        start: None: today.
        limits: of a member; None: an admin asks.
    """
    ledger = LedgerRepository(connection)
    if not ledger.lock_member(member_id):
        return UNKNOWN_MEMBER
    running = [held for held in ledger.held_by(member_id) if (held.account.ends_on or date.min) > held.today(now)]
    if not running:
        return _NOTHING
    frozen: list[tuple[Held, list[Draft]]] = []
    refusal = _NOTHING
    for held in running:
        today = held.today(now)
        drafts = bookings.freeze(held.account, today, days_from(start or today, days), limits)
        if not isinstance(drafts, MembershipRefusal):
            frozen.append((held, drafts))
        elif drafts.problem is not MembershipProblem.NOTHING_TO_FREEZE:
            return drafts
        else:
            refusal = drafts  # of this one; another may have days there
    if not frozen:
        return refusal
    for held, drafts in frozen:
        ledger.book(held, drafts, who, now)
    return ledger.held_by(member_id)


def unfreeze(connection: Connection, member_id: UUID, who: Who, now: datetime) -> list[Held] | MembershipRefusal:
    """End a member's freeze, begun or not: what is left of it comes off the end."""
    ledger = LedgerRepository(connection)
    if not ledger.lock_member(member_id):
        return UNKNOWN_MEMBER
    refusal: MembershipRefusal | None = None
    done = 0
    for held in ledger.held_by(member_id):
        drafts = bookings.unfreeze(held.account, held.today(now))
        if isinstance(drafts, MembershipRefusal):
            refusal = drafts
        else:
            ledger.book(held, drafts, who, now)
            done += 1
    if done:
        return ledger.held_by(member_id)
    return refusal or MembershipRefusal(MembershipProblem.NOT_FROZEN, "There is no membership to unfreeze.")


def adjust(
    connection: Connection, member_id: UUID, membership_id: UUID, days: int, who: Who, now: datetime
) -> list[Held] | MembershipRefusal:
    """Give days to a membership, or take back such as are not used up."""
    ledger = LedgerRepository(connection)
    if not ledger.lock_member(member_id):
        return UNKNOWN_MEMBER
    held = ledger.held(membership_id)
    if held is None or held.member_id != member_id:
        return MembershipRefusal(
            MembershipProblem.UNKNOWN_MEMBERSHIP, "The member has no such membership. See what `membership` lists."
        )
    drafts = bookings.adjustment(held.account, held.today(now), days)
    if isinstance(drafts, MembershipRefusal):
        return drafts
    if drafts:
        ledger.book(held, drafts, who, now)
    return ledger.held_by(member_id)


def ban(connection: Connection, member_id: UUID, who: Who, now: datetime, *, banned: bool) -> MembershipRefusal | None:
    """Let somebody in nowhere any more, or again. Once more changes nothing."""
    ledger = LedgerRepository(connection)
    if not ledger.lock_member(member_id):
        return UNKNOWN_MEMBER
    banned_at = connection.execute(select(users.c.banned_at).where(users.c.id == member_id)).scalar_one()
    if (banned_at is not None) == banned:
        return None
    connection.execute(update(users).where(users.c.id == member_id).values(banned_at=now if banned else None))
    ledger.note(member_id, EntryKind.BAN if banned else EntryKind.UNBAN, who, now)
    return None


def grace_until(held: Held) -> date | None:
    """The first day on which the door stays shut, unless somebody pays."""
    ends_on = held.account.ends_on
    grace = 0 if held.account.without_grace else held.plan.details.grace_days
    # An end that versions before `LONGEST_AHEAD` allowed may be close to the last day of the calendar.
    return ends_on + min(timedelta(days=grace), date.max - ends_on) if ends_on else None
