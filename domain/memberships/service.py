"""What members, staff and admins do with memberships."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection

from domain.identity.repository import UserRepository
from domain.memberships import ledger_rules
from domain.memberships.booked_membership import BookedMembership, BookingOrigin, view_of
from domain.memberships.ledger import Draft, EntryKind
from domain.memberships.ledger_rules import FreezeLimits
from domain.memberships.model import MemberView
from domain.memberships.periods import days_from
from domain.memberships.refusals import MembershipProblem, MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.memberships.rules import member_state

UNKNOWN_MEMBER = MembershipRefusal(
    MembershipProblem.UNKNOWN_MEMBER, "There is no such user. A user exists from the first sign-in on."
)
_NOTHING = MembershipRefusal(
    MembershipProblem.NOTHING_TO_FREEZE, "There is nothing to freeze: no membership is running."
)


def member_view(connection: Connection, member_id: UUID, now: datetime) -> MemberView | MembershipRefusal:
    """The memberships of a member as the member sees them."""
    user = UserRepository(connection).user(member_id)
    if user is None:
        return UNKNOWN_MEMBER
    booked = LedgerRepository(connection).held_by(member_id)
    views = sorted((view_of(each, now) for each in booked), key=lambda view: view.ends_at, reverse=True)
    state, remedy = member_state(views, banned=user.banned_at is not None)
    return MemberView(member_id, state, remedy, user.wants_reminders, tuple(views))


def freeze(
    connection: Connection,
    member_id: UUID,
    days: int,
    start: date | None,
    limits: FreezeLimits | None,
    origin: BookingOrigin,
    now: datetime,
) -> MembershipRefusal | None:
    """Freeze every running membership of a member for whole days. Each ends as many days later.

    Args:
        start: None: today.
        limits: of a member; None: of an admin, who has none.
    """
    ledger = LedgerRepository(connection)
    if not ledger.lock_member(member_id):
        return UNKNOWN_MEMBER
    running = [each for each in ledger.held_by(member_id) if (each.balance.ends_on or date.min) > each.today(now)]
    if not running:
        return _NOTHING
    frozen: list[tuple[BookedMembership, list[Draft]]] = []
    refusal = _NOTHING
    for each in running:
        today = each.today(now)
        drafts = ledger_rules.freeze(each.balance, today, days_from(start or today, days), limits)
        if not isinstance(drafts, MembershipRefusal):
            frozen.append((each, drafts))
        elif drafts.problem is not MembershipProblem.NOTHING_TO_FREEZE:
            return drafts
        else:
            refusal = drafts  # another membership may have days to freeze
    if not frozen:
        return refusal
    for each, drafts in frozen:
        ledger.book(each, drafts, origin, now)
    return None


def unfreeze(connection: Connection, member_id: UUID, origin: BookingOrigin, now: datetime) -> MembershipRefusal | None:
    """End the freeze of a member, or cancel one that has not begun. The unused frozen days come off the end."""
    ledger = LedgerRepository(connection)
    if not ledger.lock_member(member_id):
        return UNKNOWN_MEMBER
    refusal: MembershipRefusal | None = None
    done = 0
    for each in ledger.held_by(member_id):
        drafts = ledger_rules.unfreeze(each.balance, each.today(now))
        if isinstance(drafts, MembershipRefusal):
            refusal = drafts
        else:
            ledger.book(each, drafts, origin, now)
            done += 1
    if done:
        return None
    return refusal or MembershipRefusal(MembershipProblem.NOT_FROZEN, "There is no membership to unfreeze.")


def adjust(
    connection: Connection, member_id: UUID, membership_id: UUID, days: int, origin: BookingOrigin, now: datetime
) -> MembershipRefusal | None:
    """Grant days to a membership, or take back unused ones."""
    ledger = LedgerRepository(connection)
    if not ledger.lock_member(member_id):
        return UNKNOWN_MEMBER
    booked = ledger.held(membership_id)
    if booked is None or booked.member_id != member_id:
        return MembershipRefusal(
            MembershipProblem.UNKNOWN_MEMBERSHIP, "The member has no such membership. Use one that `membership` lists."
        )
    drafts = ledger_rules.adjustment(booked.balance, booked.today(now), days)
    if isinstance(drafts, MembershipRefusal):
        return drafts
    if drafts:
        ledger.book(booked, drafts, origin, now)
    return None


def ban(
    connection: Connection, member_id: UUID, origin: BookingOrigin, now: datetime, *, banned: bool
) -> MembershipRefusal | None:
    """Ban a member from every gym, or lift the ban. Idempotent."""
    users = UserRepository(connection)
    user = users.locked_user(member_id)
    if user is None:
        return UNKNOWN_MEMBER
    if (user.banned_at is not None) != banned:
        users.change(member_id, banned_at=now if banned else None)
        LedgerRepository(connection).note(member_id, EntryKind.BAN if banned else EntryKind.UNBAN, origin, now)
    return None


def set_reminders(connection: Connection, member_id: UUID, now: datetime, *, wanted: bool) -> None:
    """Switch the mails before the end of a membership on or off."""
    UserRepository(connection).change(member_id, reminders_off_at=None if wanted else now)
