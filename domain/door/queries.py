"""What can be asked about scans, visits and who is inside; nothing here decides or changes anything."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Connection, RowMapping, Select, func, select, type_coerce

from domain.door.model import Direction, Outcome, Reason, Remedy, ScanAnswer, ShownMember
from domain.door.tables import open_visits, scans, visits
from domain.gyms.tables import gates, gyms
from domain.identity.tables import users
from domain.paging import Page, PageRequest, page


@dataclass(frozen=True, slots=True)
class Annulment:
    """That a scan was undone: when, by whom, and the reason that was given."""

    at: datetime
    by: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class KeptScan:
    """A scan as it was asked, answered, and perhaps undone. `id` is the row's; `answer.scan_id` the client's."""

    id: UUID
    asked_by: UUID
    gate_id: UUID | None
    direction: Direction | None
    scanned_at: datetime | None
    arrived_at: datetime
    answer: ScanAnswer
    annulled: Annulment | None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several devices used this scan id: it names no one scan."""


@dataclass(frozen=True, slots=True)
class ScanFilter:
    """Which scans of a gym are wanted; None stands for all."""

    outcome: Outcome | None = None
    reason: Reason | None = None
    member_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Inside:
    """Somebody who is inside; anonymous when added by a head count.

    Args:
        over_capacity: more are inside than the gym holds; the same of everybody.
    """

    visit_id: UUID
    member_id: UUID | None
    name: str | None
    since: datetime
    gate_id: UUID | None
    gate_name: str | None
    over_capacity: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay at a gym; `inferred` tells why it ended without a scan of its own."""

    id: UUID
    gym_id: UUID
    gym_name: str | None
    gate_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: str | None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many are inside a gym, and how many may be."""

    gym_id: UUID
    occupancy: int
    capacity: int
    retired: bool


class DoorQueries:
    """Questions within one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def scan_of(self, asked_by: UUID, scan_id: str) -> KeptScan | None:
        """The scan of one device or user."""
        query = _scans().where(scans.c.scan_id == scan_id, scans.c.asked_by == asked_by)
        return _first(self._scans(query))

    def scan_by_any(self, scan_id: str) -> KeptScan | Ambiguous | None:
        """The scan of whichever device used this id, as long as only one did."""
        found = self._scans(_scans().where(scans.c.scan_id == scan_id).limit(2))
        return Ambiguous() if len(found) > 1 else _first(found)

    def scan_by_row(self, row_id: UUID) -> KeptScan | None:
        """The scan of a row's own id."""
        return _first(self._scans(_scans().where(scans.c.id == row_id)))

    def scans_at(self, gym_id: UUID, wanted: ScanFilter, request: PageRequest) -> Page[KeptScan]:
        """A gym's scans, newest first."""
        query = _scans().where(scans.c.gym_id == gym_id).order_by(scans.c.id.desc()).limit(request.fetch)
        if request.after:
            query = query.where(scans.c.id < request.after)
        if wanted.outcome:
            query = query.where(scans.c.outcome == wanted.outcome.value)
        if wanted.reason:
            query = query.where(scans.c.reason == wanted.reason.value)
        if wanted.member_id:
            query = query.where(scans.c.member_id == wanted.member_id)
        return page(self._scans(query), request, lambda scan: scan.id)

    def occupancy(self, gym_id: UUID, *, retired: bool = False) -> Occupancy | None:
        """Who is inside, counted; None of a gym that does not exist, or is retired unless `retired`."""
        inside = select(func.count()).select_from(open_visits).where(open_visits.c.gym_id == gym_id).scalar_subquery()
        is_retired = gyms.c.retired_at.is_not(None)
        query = select(gyms.c.id, inside, gyms.c.capacity, is_retired).where(gyms.c.id == gym_id)
        if not retired:
            query = query.where(gyms.c.retired_at.is_(None))
        row = self._connection.execute(query).one_or_none()
        return Occupancy(row[0], row[1], row[2], bool(row[3])) if row else None

    def inside(self, gym_id: UUID, request: PageRequest) -> Page[Inside]:
        """Who is inside a gym, in the order in which they came."""
        query = whoever_is_inside(gym_id).order_by(open_visits.c.visit_id).limit(request.fetch)
        if request.after:
            query = query.where(open_visits.c.visit_id > request.after)
        rows = [Inside(*row) for row in self._connection.execute(query)]
        return page(rows, request, lambda one: one.visit_id)

    def visits_of(self, member_id: UUID, request: PageRequest) -> Page[Visit]:
        """A member's visits, newest first, without those that were annulled."""
        query = (
            select(
                visits.c.id,
                visits.c.gym_id,
                gyms.c.name,
                visits.c.gate_id,
                visits.c.entered_at,
                visits.c.left_at,
                visits.c.inferred,
            )
            .outerjoin(gyms, gyms.c.id == visits.c.gym_id)
            .where(visits.c.member_id == member_id, visits.c.annulled_at.is_(None))
            .order_by(visits.c.id.desc())
            .limit(request.fetch)
        )
        if request.after:
            query = query.where(visits.c.id < request.after)
        rows = [Visit(*row) for row in self._connection.execute(query)]
        return page(rows, request, lambda visit: visit.id)

    def _scans(self, query: Select[Any]) -> list[KeptScan]:
        return [_kept(row) for row in self._connection.execute(query).mappings()]


def whoever_is_inside(gym_id: UUID) -> Select[Any]:
    """The columns of `Inside`, of everybody inside a gym."""
    everybody = open_visits.alias()
    occupancy = select(func.count()).select_from(everybody).where(everybody.c.gym_id == gym_id).scalar_subquery()
    capacity = select(gyms.c.capacity).where(gyms.c.id == gym_id).scalar_subquery()
    return (
        select(
            open_visits.c.visit_id,
            open_visits.c.member_id,
            users.c.name,
            open_visits.c.entered_at,
            visits.c.gate_id,
            gates.c.name,
            type_coerce(occupancy > capacity, Boolean),
        )
        .join(visits, visits.c.id == open_visits.c.visit_id)
        .outerjoin(users, users.c.id == open_visits.c.member_id)
        .outerjoin(gates, gates.c.id == visits.c.gate_id)
        .where(open_visits.c.gym_id == gym_id)
    )


def _scans() -> Select[Any]:
    return select(scans, users.c.name.label("member_name"), users.c.picture_url.label("member_picture")).outerjoin(
        users, users.c.id == scans.c.member_id
    )


def _first(found: list[KeptScan]) -> KeptScan | None:
    return found[0] if found else None


def _kept(row: RowMapping) -> KeptScan:
    member = None
    if row["member_id"] is not None and row["member_name"] is not None:
        member = ShownMember(row["member_id"], row["member_name"], row["member_picture"])
    annulled = None
    if row["annulled_at"] is not None:
        annulled = Annulment(row["annulled_at"], row["annulled_by"], row["annul_reason"] or "")
    answer = ScanAnswer(
        scan_id=row["scan_id"],
        outcome=Outcome(row["outcome"]),
        reason=Reason(row["reason"]) if row["reason"] else None,
        remedy=Remedy(row["remedy"]) if row["remedy"] else None,
        member=member,
        gym_id=row["gym_id"],
        occupancy=row["occupancy"],
        capacity=row["capacity"],
        decided_at=row["decided_at"],
        replayed=True,
    )
    return KeptScan(
        id=row["id"],
        asked_by=row["asked_by"],
        gate_id=row["gate_id"],
        direction=Direction(row["direction"]) if row["direction"] else None,
        scanned_at=row["scanned_at"],
        arrived_at=row["arrived_at"],
        answer=answer,
        annulled=annulled,
    )
