"""The members of a rush in the store, with memberships as their ledger says; found again by their address."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, func, insert, select

from cluster.bench.world import Kind
from cluster.rush.people import kind_at
from cluster.rush.world import RushMember
from domain.door.tables import visits
from domain.identity.tables import user_roles, users
from domain.ids import new_id
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.ledger import Draft, EntryKind
from domain.memberships.periods import Period
from domain.memberships.plans import Plan
from domain.memberships.repository import LedgerRepository
from domain.unit_of_work import Store

MAIL = "rush.example"
# Days from today. Long: a rush of next year must find its members as they were.
_LASTS, _ENDED = (-20, 3650), (-60, -30)
_AT_ONCE = 100  # in one unit of work: the doors write to the same store


def members_of_rush(
    store: Store, plan: Plan, number: int, now: datetime, told: Callable[[str], None]
) -> tuple[RushMember, ...]:
    """So many members, each of the kind that belongs to their place; made where they are not there yet."""
    with store.reading() as connection:
        known = _known(connection)
        used = _last_used(connection, list(known.values()))
    places = [place for place in range(number) if _email(place) not in known]
    for start in range(0, len(places), _AT_ONCE):
        told(f"members: {start} of {len(places)} new ones")
        part = places[start : start + _AT_ONCE]
        known |= store.written(partial(_made, plan=plan, places=part, now=now))
    ids = [known[_email(place)] for place in range(number)]
    return tuple(
        RushMember(member_id, _name(place), kind_at(place), used.get(member_id, 0))
        for place, member_id in enumerate(ids)
    )


def _made(connection: Connection, plan: Plan, places: Sequence[int], now: datetime) -> dict[str, UUID]:
    made = {_email(place): new_id() for place in places}
    rows = [
        {
            "id": made[_email(place)],
            "email": _email(place),
            "name": _name(place),
            "banned_at": now if kind_at(place) is Kind.BANNED else None,
            "reminders_off_at": now,
            "created_at": now,
        }
        for place in places
    ]
    connection.execute(insert(users), rows)
    connection.execute(insert(user_roles), [{"user_id": row["id"], "role": "User"} for row in rows])
    ledger = LedgerRepository(connection)
    for place in places:
        kind = kind_at(place)
        if kind is not Kind.NO_MEMBERSHIP:
            first, last = _ENDED if kind is Kind.ENDED else _LASTS
            held = ledger.to_prolong(made[_email(place)], plan, now)
            today = held.today(now)
            period = Period(today + timedelta(days=first), today + timedelta(days=last))
            ledger.book(
                held, [Draft(EntryKind.OPENING, period, grants=True)], BookingOrigin(None, "part of a rush"), now
            )
    return made


def _known(connection: Connection) -> dict[str, UUID]:
    query = select(users.c.email, users.c.id).where(users.c.email.like(f"%@{MAIL}"), users.c.deleted_at.is_(None))
    return {row.email: row.id for row in connection.execute(query)}


def _last_used(connection: Connection, members: Sequence[UUID]) -> dict[UUID, int]:
    used: dict[UUID, int] = {}
    for start in range(0, len(members), _AT_ONCE):
        part = members[start : start + _AT_ONCE]
        query = select(visits.c.member_id, func.max(visits.c.pass_issued_at).label("issued_at"))
        for row in connection.execute(query.where(visits.c.member_id.in_(part)).group_by(visits.c.member_id)):
            if row.issued_at is not None:
                used[row.member_id] = int(row.issued_at.timestamp())
    return used


def _email(place: int) -> str:
    return f"rush-{place + 1:06}@{MAIL}"


def _name(place: int) -> str:
    return f"Rush {place + 1:04}"
