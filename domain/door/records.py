"""What is kept of visits, head counts, machines and conflicts, for those who look at a gym; decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, select, update

from domain.door.model import Conflict, Direction, Outcome
from domain.door.queries import Inside, whoever_is_inside
from domain.door.tables import head_counts, open_machine_uses, open_visits, scan_conflicts, scans, visits
from domain.door.timeline_repository import happened_at
from domain.gyms.tables import gyms
from domain.identity.tables import users
from domain.machines.tables import machines
from domain.paging import Page, PageRequest, page


@dataclass(frozen=True, slots=True)
class GymVisit:
    """A visit as staff see it; without member or gate where a head count has added it."""

    id: UUID
    gym_id: UUID
    member_id: UUID | None
    member_name: str | None
    gate_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: str | None


@dataclass(frozen=True, slots=True)
class HeadCount:
    """A head count that was taken in."""

    id: UUID
    gym_id: UUID
    by_id: UUID
    by_name: str | None
    counted: int
    before: int
    closed: int
    added: int
    reason: str
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class ListedConflict:
    """A scan without the server that does not fit, and what became of it. `id` is the scan's row."""

    id: UUID
    gym_id: UUID
    kind: Conflict
    found_at: datetime
    scan_id: str
    asked_by: UUID
    gate_id: UUID | None
    outcome: Outcome
    direction: Direction | None
    member_id: UUID | None
    member_name: str | None
    occurred_at: datetime
    annulled: bool
    settled_at: datetime | None
    settled_by: UUID | None
    note: str | None


@dataclass(frozen=True, slots=True)
class MachinePlace:
    """Where a machine is, and who uses it."""

    gym_id: UUID
    used_by: UUID | None


@dataclass(frozen=True, slots=True)
class RollCall:
    """Everybody who is inside a gym, in the order in which they came.

    Args:
        more: whether there are further ones than are listed.
    """

    gym_name: str
    time_zone: str
    capacity: int
    inside: tuple[Inside, ...]
    more: bool


class DoorRecords:
    """Questions within one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def visits_at(self, gym_id: UUID, day: date | None, request: PageRequest) -> Page[GymVisit] | None:
        """A gym's visits, newest first; of those that began on a day of its own calendar. None: no such gym."""
        zone = self._connection.execute(select(gyms.c.time_zone).where(gyms.c.id == gym_id)).scalar()
        if zone is None:
            return None
        query = _visits().where(visits.c.gym_id == gym_id)
        if day is not None:
            begins, ends = (_midnight(one, ZoneInfo(zone)) for one in (day, day + timedelta(days=1)))
            query = query.where(visits.c.entered_at >= begins, visits.c.entered_at < ends)
        return self._visits(query, request)

    def visits_of(self, member_id: UUID, request: PageRequest) -> Page[GymVisit]:
        """A member's visits, newest first."""
        return self._visits(_visits().where(visits.c.member_id == member_id), request)

    def head_counts(self, gym_id: UUID, request: PageRequest) -> Page[HeadCount]:
        """A gym's head counts, newest first."""
        counts = head_counts.c
        query = (
            select(
                counts.id,
                counts.gym_id,
                counts.by_id,
                users.c.name,
                counts.counted,
                counts.inside_before,
                counts.closed,
                counts.added,
                counts.reason,
                counts.counted_at,
            )
            .outerjoin(users, users.c.id == counts.by_id)
            .where(counts.gym_id == gym_id)
            .order_by(counts.id.desc())
            .limit(request.fetch)
        )
        if request.after:
            query = query.where(counts.id < request.after)
        return page([_head_count(tuple(row)) for row in self._connection.execute(query)], request, lambda one: one.id)

    def conflicts(self, gym_id: UUID, request: PageRequest, *, settled: bool) -> Page[ListedConflict]:
        """A gym's conflicts that staff have settled, or have not, newest first."""
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
        """Note that staff have looked at a conflict; once more changes the note. None: there is no such conflict."""
        self._connection.execute(
            update(scan_conflicts)
            .where(scan_conflicts.c.id == conflict_id)
            .values(settled_at=now, settled_by=by, note=note)
        )
        row = self._connection.execute(_conflicts().where(scan_conflicts.c.id == conflict_id)).one_or_none()
        return None if row is None else _conflict(row)

    def machine_place(self, machine_id: UUID) -> MachinePlace | None:
        """Where a machine is, and who uses it."""
        row = self._connection.execute(
            select(machines.c.gym_id, open_machine_uses.c.member_id)
            .outerjoin(open_machine_uses, open_machine_uses.c.machine_id == machines.c.id)
            .where(machines.c.id == machine_id)
        ).one_or_none()
        return MachinePlace(*row) if row else None

    def roll_call(self, gym_id: UUID, at_most: int) -> RollCall | None:
        """Everybody inside, in one look; None: no such gym."""
        gym = self._connection.execute(
            select(gyms.c.name, gyms.c.time_zone, gyms.c.capacity).where(gyms.c.id == gym_id)
        ).one_or_none()
        if gym is None:
            return None
        rows = self._connection.execute(
            whoever_is_inside(gym_id).order_by(open_visits.c.entered_at, open_visits.c.visit_id).limit(at_most + 1)
        ).all()
        inside = tuple(Inside(*row) for row in rows[:at_most])
        return RollCall(gym.name, gym.time_zone, gym.capacity, inside, more=len(rows) > at_most)

    def _visits(self, query: Select[Any], request: PageRequest) -> Page[GymVisit]:
        query = query.order_by(visits.c.id.desc()).limit(request.fetch)
        if request.after:
            query = query.where(visits.c.id < request.after)
        return page([GymVisit(*row) for row in self._connection.execute(query)], request, lambda visit: visit.id)


def _visits() -> Select[Any]:
    return (
        select(
            visits.c.id,
            visits.c.gym_id,
            visits.c.member_id,
            users.c.name,
            visits.c.gate_id,
            visits.c.entered_at,
            visits.c.left_at,
            visits.c.inferred,
        )
        .outerjoin(users, users.c.id == visits.c.member_id)
        .where(visits.c.annulled_at.is_(None))
    )


def _head_count(row: Sequence[Any]) -> HeadCount:
    return HeadCount(*row)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _conflicts() -> Select[Any]:
    return (
        select(scan_conflicts, scans, users.c.name.label("member_name"), scan_conflicts.c.gym_id.label("at_gym"))
        .join(scans, scans.c.id == scan_conflicts.c.id)
        .outerjoin(users, users.c.id == scans.c.member_id)
    )


def _conflict(row: Any) -> ListedConflict:  # noqa: ANN401 - a row of two tables
    return ListedConflict(
        id=row.id,
        gym_id=row.at_gym,
        kind=Conflict(row.kind),
        found_at=row.found_at,
        scan_id=row.scan_id,
        asked_by=row.asked_by,
        gate_id=row.gate_id,
        outcome=Outcome(row.outcome),
        direction=Direction(row.direction) if row.direction else None,
        member_id=row.member_id,
        member_name=row.member_name,
        occurred_at=happened_at(row),
        annulled=row.annulled_at is not None,
        settled_at=row.settled_at,
        settled_by=row.settled_by,
        note=row.note,
    )
