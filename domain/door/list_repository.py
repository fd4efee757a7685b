"""Lists scans, visits, who is inside, head counts and conflicts. Decides nothing."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Boolean, Connection, Row, Select, func, select, type_coerce, update

from domain.door.list_model import (
    Ambiguous,
    HeadCount,
    Inside,
    ListedConflict,
    ListedVisit,
    MachinePlace,
    Occupancy,
    RollCall,
    ScanFilter,
)
from domain.door.model import Conflict
from domain.door.repository import SCANS_WITH_MEMBERS, stored_scan
from domain.door.state import StoredScan
from domain.door.tables import head_counts, open_machine_uses, open_visits, scan_conflicts, scans, visits
from domain.gyms.tables import gates, gyms
from domain.identity.tables import users
from domain.machines.tables import machines
from domain.paging import Page, PageRequest, page


class ListRepository:
    """Reads on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def scan_of(self, asked_by: UUID, scan_id: str) -> StoredScan | None:
        """The scan of one device or user."""
        found = self._scans(SCANS_WITH_MEMBERS.where(scans.c.scan_id == scan_id, scans.c.asked_by == asked_by))
        return found[0] if found else None

    def scan_by_any(self, scan_id: str) -> StoredScan | Ambiguous | None:
        """The scan with this id, if only one device or user used the id."""
        found = self._scans(SCANS_WITH_MEMBERS.where(scans.c.scan_id == scan_id).limit(2))
        if len(found) > 1:
            return Ambiguous()
        return found[0] if found else None

    def scan_by_row(self, row_id: UUID) -> StoredScan | None:
        """The scan with this row id."""
        found = self._scans(SCANS_WITH_MEMBERS.where(scans.c.id == row_id))
        return found[0] if found else None

    def scans_at(self, gym_id: UUID, filters: ScanFilter, request: PageRequest) -> Page[StoredScan]:
        """A gym's scans, newest first."""
        query = SCANS_WITH_MEMBERS.where(scans.c.gym_id == gym_id).order_by(scans.c.id.desc()).limit(request.fetch)
        if request.after:
            query = query.where(scans.c.id < request.after)
        if filters.outcome:
            query = query.where(scans.c.outcome == filters.outcome.value)
        if filters.reason:
            query = query.where(scans.c.reason == filters.reason.value)
        if filters.member_id:
            query = query.where(scans.c.member_id == filters.member_id)
        return page(self._scans(query), request, lambda scan: scan.id)

    def occupancy(self, gym_id: UUID, *, retired: bool = False) -> Occupancy | None:
        """A gym's occupancy; None: no such gym, or it is retired and `retired` is not set."""
        inside = select(func.count()).select_from(open_visits).where(open_visits.c.gym_id == gym_id).scalar_subquery()
        is_retired = gyms.c.retired_at.is_not(None)
        query = select(gyms.c.id, inside, gyms.c.capacity, is_retired).where(gyms.c.id == gym_id)
        if not retired:
            query = query.where(gyms.c.retired_at.is_(None))
        row = self._connection.execute(query).one_or_none()
        return Occupancy(row[0], row[1], row[2], bool(row[3])) if row else None

    def inside(self, gym_id: UUID, request: PageRequest) -> Page[Inside]:
        """Everybody inside a gym, in the order of arrival."""
        query = _everybody_inside(gym_id).order_by(open_visits.c.visit_id).limit(request.fetch)
        if request.after:
            query = query.where(open_visits.c.visit_id > request.after)
        rows = [Inside(*row) for row in self._connection.execute(query)]
        return page(rows, request, lambda one: one.visit_id)

    def roll_call(self, gym_id: UUID, at_most: int) -> RollCall | None:
        """Everybody inside a gym, from one statement; None: no such gym."""
        gym = self._connection.execute(
            select(gyms.c.name, gyms.c.time_zone, gyms.c.capacity).where(gyms.c.id == gym_id)
        ).one_or_none()
        if gym is None:
            return None
        rows = self._connection.execute(
            _everybody_inside(gym_id).order_by(open_visits.c.entered_at, open_visits.c.visit_id).limit(at_most + 1)
        ).all()
        inside = tuple(Inside(*row) for row in rows[:at_most])
        return RollCall(gym.name, gym.time_zone, gym.capacity, inside, more=len(rows) > at_most)

    def visits_at(self, gym_id: UUID, day: date | None, request: PageRequest) -> Page[ListedVisit] | None:
        """A gym's visits, newest first; None: no such gym.

        Args:
            day: only visits that began on this day in the gym's time zone.
        """
        zone = self._connection.execute(select(gyms.c.time_zone).where(gyms.c.id == gym_id)).scalar()
        if zone is None:
            return None
        query = _visits().where(visits.c.gym_id == gym_id)
        if day is not None:
            begins, ends = (datetime.combine(one, time(), ZoneInfo(zone)) for one in (day, day + timedelta(days=1)))
            query = query.where(visits.c.entered_at >= begins, visits.c.entered_at < ends)
        return self._visits(query, request)

    def visits_of(self, member_id: UUID, request: PageRequest) -> Page[ListedVisit]:
        """A member's visits, newest first."""
        return self._visits(_visits().where(visits.c.member_id == member_id), request)

    def head_counts(self, gym_id: UUID, request: PageRequest) -> Page[HeadCount]:
        """A gym's head counts, newest first."""
        counts = head_counts.c
        query: Select[Any] = (
            select(
                *(counts.id, counts.gym_id, counts.by_id, users.c.name, counts.counted, counts.inside_before),
                *(counts.closed, counts.added, counts.reason, counts.counted_at),
            )
            .outerjoin(users, users.c.id == counts.by_id)
            .where(counts.gym_id == gym_id)
            .order_by(counts.id.desc())
            .limit(request.fetch)
        )
        if request.after:
            query = query.where(counts.id < request.after)
        return page([HeadCount(*row) for row in self._connection.execute(query)], request, lambda one: one.id)

    def conflicts(self, gym_id: UUID, request: PageRequest, *, settled: bool) -> Page[ListedConflict]:
        """A gym's conflicts that the staff have settled, or have not, newest first."""
        is_settled = scan_conflicts.c.settled_at.is_not(None)
        query = (
            _conflicts()
            .where(scan_conflicts.c.gym_id == gym_id, is_settled if settled else ~is_settled)
            .order_by(scan_conflicts.c.id.desc())
            .limit(request.fetch)
        )
        if request.after:
            query = query.where(scan_conflicts.c.id < request.after)
        return page([_conflict(row) for row in self._connection.execute(query)], request, lambda one: one.id)

    def settle(self, conflict_id: UUID, by: UUID, note: str, now: datetime) -> ListedConflict | None:
        """Mark a conflict as settled. A repeated call changes the note. None: no such conflict."""
        self._connection.execute(
            update(scan_conflicts)
            .where(scan_conflicts.c.id == conflict_id)
            .values(settled_at=now, settled_by=by, note=note)
        )
        row = self._connection.execute(_conflicts().where(scan_conflicts.c.id == conflict_id)).one_or_none()
        return None if row is None else _conflict(row)

    def machine_place(self, machine_id: UUID) -> MachinePlace | None:
        """Where a machine is, and who uses it; None: no such machine."""
        row = self._connection.execute(
            select(machines.c.gym_id, open_machine_uses.c.member_id)
            .outerjoin(open_machine_uses, open_machine_uses.c.machine_id == machines.c.id)
            .where(machines.c.id == machine_id)
        ).one_or_none()
        return MachinePlace(*row) if row else None

    def _scans(self, query: Select[Any]) -> Sequence[StoredScan]:
        return [stored_scan(row) for row in self._connection.execute(query)]

    def _visits(self, query: Select[Any], request: PageRequest) -> Page[ListedVisit]:
        query = query.order_by(visits.c.id.desc()).limit(request.fetch)
        if request.after:
            query = query.where(visits.c.id < request.after)
        return page([ListedVisit(*row) for row in self._connection.execute(query)], request, lambda visit: visit.id)


def _everybody_inside(gym_id: UUID) -> Select[Any]:
    """The columns of `Inside`."""
    everybody = open_visits.alias()
    occupancy = select(func.count()).select_from(everybody).where(everybody.c.gym_id == gym_id).scalar_subquery()
    capacity = select(gyms.c.capacity).where(gyms.c.id == gym_id).scalar_subquery()
    return (
        select(
            *(open_visits.c.visit_id, open_visits.c.member_id, users.c.name, open_visits.c.entered_at),
            *(visits.c.gate_id, gates.c.name, type_coerce(occupancy > capacity, Boolean)),
        )
        .join(visits, visits.c.id == open_visits.c.visit_id)
        .outerjoin(users, users.c.id == open_visits.c.member_id)
        .outerjoin(gates, gates.c.id == visits.c.gate_id)
        .where(open_visits.c.gym_id == gym_id)
    )


def _visits() -> Select[Any]:
    """The columns of `ListedVisit`, without annulled visits."""
    return (
        select(
            *(visits.c.id, visits.c.gym_id, gyms.c.name, visits.c.member_id, users.c.name),
            *(visits.c.gate_id, visits.c.entered_at, visits.c.left_at, visits.c.inferred),
        )
        .outerjoin(gyms, gyms.c.id == visits.c.gym_id)
        .outerjoin(users, users.c.id == visits.c.member_id)
        .where(visits.c.annulled_at.is_(None))
    )


def _conflicts() -> Select[Any]:
    """Conflicts with their scans."""
    conflicts = scan_conflicts.c
    columns = (conflicts.gym_id, conflicts.kind, conflicts.found_at, conflicts.settled_at, conflicts.settled_by)
    return SCANS_WITH_MEMBERS.add_columns(
        *(column.label(f"conflict_{column.name}") for column in columns), conflicts.note
    ).join(scan_conflicts, scan_conflicts.c.id == scans.c.id)


def _conflict(row: Row[Any]) -> ListedConflict:
    scan = stored_scan(row)
    return ListedConflict(
        id=scan.id,
        gym_id=row.conflict_gym_id,
        kind=Conflict(row.conflict_kind),
        found_at=row.conflict_found_at,
        scan_id=scan.answer.scan_id,
        asked_by=scan.asked_by,
        gate_id=scan.gate_id,
        outcome=scan.answer.outcome,
        direction=scan.direction,
        member_id=scan.member_id,
        member_name=row.member_name,
        occurred_at=scan.occurred_at,
        annulled=scan.annulled is not None,
        settled_at=row.conflict_settled_at,
        settled_by=row.conflict_settled_by,
        note=row.note,
    )
