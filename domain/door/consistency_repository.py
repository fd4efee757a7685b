"""Finds rows of the door's tables that contradict each other. Reads only."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from domain.door.model import Outcome
from domain.door.tables import machine_uses, open_machine_uses, open_visits, scans, visits

GymAndRow = tuple[UUID | None, UUID]

_IS_OPEN = visits.c.left_at.is_(None) & visits.c.annulled_at.is_(None)
_OPEN_WITH_VISIT = select(open_visits.c.gym_id, open_visits.c.visit_id).select_from(
    open_visits.outerjoin(visits, visits.c.id == open_visits.c.visit_id)
)


class ConsistencyRepository:
    """Contradictions between open visits, visits, scans and machine uses.

    Most methods return gym ids, each with the id of the visit, scan or machine use.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open_without_visit(self) -> Sequence[GymAndRow]:
        """Open visits whose visit does not exist."""
        return self._found(_OPEN_WITH_VISIT.where(visits.c.id.is_(None)))

    def open_but_ended(self) -> Sequence[GymAndRow]:
        """Open visits whose visit has ended or was annulled."""
        return self._found(
            _OPEN_WITH_VISIT.where(or_(visits.c.left_at.is_not(None), visits.c.annulled_at.is_not(None)))
        )

    def open_differs_from_visit(self) -> Sequence[GymAndRow]:
        """Open visits with another gym, member or entry time than their visit."""
        return self._found(
            _OPEN_WITH_VISIT.where(
                or_(
                    open_visits.c.gym_id != visits.c.gym_id,
                    _differ(open_visits.c.member_id, visits.c.member_id),
                    open_visits.c.entered_at != visits.c.entered_at,
                )
            )
        )

    def visits_not_open(self) -> Sequence[GymAndRow]:
        """Visits that have not ended, and have no open visit."""
        has_open_visit = exists().where(open_visits.c.visit_id == visits.c.id)
        return self._found(select(visits.c.gym_id, visits.c.id).where(_IS_OPEN, ~has_open_visit))

    def entries_without_visit(self) -> Sequence[GymAndRow]:
        """Scans that admitted somebody without a visit. An offline scan may be a conflict instead."""
        has_visit = exists().where(
            and_(visits.c.id == scans.c.visit_id, visits.c.gym_id == scans.c.gym_id, visits.c.annulled_at.is_(None))
        )
        return self._found(
            select(scans.c.gym_id, scans.c.id).where(
                scans.c.outcome == Outcome.ENTERED, scans.c.annulled_at.is_(None), scans.c.offline.is_(None), ~has_visit
            )
        )

    def visits_without_entry(self) -> Sequence[GymAndRow]:
        """Visits that began with a scan that was annulled or admitted nobody."""
        return self._found(
            select(visits.c.gym_id, visits.c.id)
            .outerjoin(scans, scans.c.id == visits.c.entered_scan)
            .where(
                visits.c.entered_scan.is_not(None),
                visits.c.annulled_at.is_(None),
                or_(scans.c.id.is_(None), scans.c.outcome != Outcome.ENTERED, scans.c.annulled_at.is_not(None)),
            )
        )

    def entries_not_counted(self) -> Sequence[GymAndRow]:
        """Repeated scans that admitted somebody after the visit had ended."""
        return self._found(
            select(scans.c.gym_id, scans.c.id)
            .join(visits, visits.c.id == scans.c.visit_id)
            .where(
                scans.c.outcome == Outcome.ENTERED,
                scans.c.annulled_at.is_(None),
                scans.c.repeats_id.is_not(None),
                visits.c.left_at < scans.c.decided_at,
            )
        )

    def uses_outside(self) -> Sequence[GymAndRow]:
        """Open machine uses without the open visit that they belong to."""
        has_open_visit = exists().where(
            and_(
                open_visits.c.visit_id == open_machine_uses.c.visit_id,
                open_visits.c.member_id == open_machine_uses.c.member_id,
                open_visits.c.gym_id == open_machine_uses.c.gym_id,
            )
        )
        return self._found(select(open_machine_uses.c.gym_id, open_machine_uses.c.use_id).where(~has_open_visit))

    def uses_ended(self) -> Sequence[GymAndRow]:
        """Open machine uses whose use has ended or does not exist."""
        continues = exists().where(
            and_(machine_uses.c.id == open_machine_uses.c.use_id, machine_uses.c.ended_at.is_(None))
        )
        return self._found(select(open_machine_uses.c.gym_id, open_machine_uses.c.use_id).where(~continues))

    def members_inside_twice(self) -> Sequence[tuple[UUID, int]]:
        """Members with several visits that have not ended, each with the number of these visits."""
        rows = self._connection.execute(
            select(visits.c.member_id, func.count().label("visits"))
            .where(_IS_OPEN, visits.c.member_id.is_not(None))
            .group_by(visits.c.member_id)
            .having(func.count() > 1)
        )
        return [(row.member_id, row.visits) for row in rows]

    def _found(self, query: Select[UUID, UUID]) -> Sequence[GymAndRow]:
        return [(gym_id, row_id) for gym_id, row_id in self._connection.execute(query)]


def _differ(left: ColumnElement[UUID | None], right: ColumnElement[UUID | None]) -> ColumnElement[bool]:
    return or_(left != right, left.is_(None) != right.is_(None))
