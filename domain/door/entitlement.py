"""Until when a member may enter a gym, by the rule by which its door decides."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, select

from domain.door.repository import DoorRepository
from domain.door.rules import entitlement
from domain.gyms.tables import gyms
from domain.memberships.days import day_of
from domain.memberships.tables import memberships


def entitled_until(connection: Connection, member_id: UUID, gym_id: UUID, now: datetime) -> date | None:
    """The day on which the membership ends by which a member may enter a gym today; None: they may not.

    Opening hours and capacity are not asked: they say nothing about the member. In its days of grace a membership still
    admits, and its end lies in the past.

    Args:
        connection: a unit of work that reads.
        member_id: any id.
        gym_id: the gym.
        now: the moment that is asked about.
    """
    door = DoorRepository(connection)
    member = door.member(member_id)
    company_id = connection.execute(select(gyms.c.company_id).where(gyms.c.id == gym_id)).scalar_one_or_none()
    if member is None or member.deleted or company_id is None:
        return None
    held = door.members_now([member_id]).memberships.get(member_id, [])
    seen = [membership.seen_from(gym_id, company_id) for membership in held]
    if entitlement(banned=member.banned, memberships=seen, now=now).reason is not None:
        return None
    admitting = [one for one in seen if entitlement(banned=False, memberships=[one], now=now).reason is None]
    ends_at = max(membership.ends_at for membership in admitting)
    of_that_end = memberships.c.member_id == member_id, memberships.c.ends_at == ends_at
    (time_zone,) = connection.execute(select(memberships.c.time_zone).where(*of_that_end).limit(1)).one()
    return day_of(ends_at, time_zone)
