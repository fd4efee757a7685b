"""Open visits beside the way of a scan: which are the oldest, and whether their members can be had."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from domain.door.repository import DoorRepository
from domain.door.tables import open_visits

OfMember = tuple[UUID, UUID | None]
"""A visit and its member; None of one that a head count has added."""


class OpenVisits:
    """Questions within one unit of work that has locked the gym."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def oldest(self, gym_id: UUID, number: int) -> list[OfMember]:
        """The visits that have been open longest."""
        if not number:
            return []
        rows = self._connection.execute(
            select(open_visits.c.visit_id, open_visits.c.member_id)
            .where(open_visits.c.gym_id == gym_id)
            .order_by(open_visits.c.entered_at, open_visits.c.visit_id)
            .limit(number)
        )
        return [(row.visit_id, row.member_id) for row in rows]

    def since(self, gym_id: UUID) -> list[tuple[UUID, UUID | None, datetime]]:
        """All open visits of a gym, each with its member and when it began."""
        rows = self._connection.execute(
            select(open_visits.c.visit_id, open_visits.c.member_id, open_visits.c.entered_at).where(
                open_visits.c.gym_id == gym_id
            )
        )
        return [(row.visit_id, row.member_id, row.entered_at) for row in rows]

    def still_open(self, visits: Sequence[OfMember]) -> list[OfMember]:
        """Those that are open; asked once their members are locked."""
        rows = self._connection.execute(
            select(open_visits.c.visit_id).where(open_visits.c.visit_id.in_([visit_id for visit_id, _ in visits]))
        )
        found = {row.visit_id for row in rows}
        return [visit for visit in visits if visit[0] in found]

    def held(self, visits: Sequence[OfMember]) -> list[OfMember]:
        """Lock the members of visits, whom a gym elsewhere may let in; the visits of those whom nobody else holds."""
        members = {member_id for _, member_id in visits if member_id is not None}
        locked = DoorRepository(self._connection).lock_members(members)
        return [visit for visit in visits if visit[1] is None or visit[1] in locked]
