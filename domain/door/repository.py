"""What the door reads and writes. Every deciding read comes after the locks."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, case, delete, func, insert, literal, select, tuple_, update

from domain.column_types import Id
from domain.door.model import Inferred, Outcome, ShownMember
from domain.door.state import AcceptedScan, OpenVisit
from domain.gyms.opening_hours import OpeningHours
from domain.tables import gyms, open_visits, opening_hours, scans, users, visits

RECENT = timedelta(seconds=60)  # longer than a code lives, 55 s, and than the window of a phone held up


@dataclass(frozen=True, slots=True)
class GymRow:
    """A locked gym."""

    id: UUID
    company_id: UUID
    capacity: int
    reentry_after: timedelta | None
    time_zone: str
    retired: bool


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A locked member."""

    shown: ShownMember
    banned: bool


@dataclass(frozen=True, slots=True)
class Recent:
    """What was accepted of a set of members within the last minute."""

    last: dict[UUID, AcceptedScan]
    left_by: frozenset[tuple[UUID, datetime]]  # member, issue time of the code


@dataclass(frozen=True, slots=True)
class Ending:
    """How a visit ends."""

    visit_id: UUID
    left_at: datetime
    left_scan: UUID
    inferred: Inferred | None


class DoorRepository:
    """The door's tables, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock_gyms(self, ids: Collection[UUID]) -> dict[UUID, GymRow]:
        """Lock gyms in the order of their ids; unknown ones are left out."""
        rows = self._connection.execute(
            select(
                gyms.c.id,
                gyms.c.company_id,
                gyms.c.capacity,
                gyms.c.reentry_after_s,
                gyms.c.time_zone,
                gyms.c.retired_at,
            )
            .where(gyms.c.id.in_(ids))
            .order_by(gyms.c.id)
            .with_for_update()
        )
        return {
            row.id: GymRow(
                row.id,
                row.company_id,
                row.capacity,
                None if row.reentry_after_s is None else timedelta(seconds=row.reentry_after_s),
                row.time_zone,
                row.retired_at is not None,
            )
            for row in rows
        }

    def lock_members(self, ids: Collection[UUID]) -> dict[UUID, MemberRow]:
        """Lock members in the order of their ids; unknown ones are left out."""
        if not ids:
            return {}
        rows = self._connection.execute(
            select(users.c.id, users.c.name, users.c.picture_url, users.c.banned_at)
            .where(users.c.id.in_(ids))
            .order_by(users.c.id)
            .with_for_update()
        )
        return {
            row.id: MemberRow(ShownMember(row.id, row.name, row.picture_url), row.banned_at is not None) for row in rows
        }

    def hours(self, ids: Collection[UUID]) -> dict[UUID, list[OpeningHours]]:
        """Opening hours of gyms; those without any are left out."""
        found: dict[UUID, list[OpeningHours]] = {}
        table = opening_hours.c
        for row in self._connection.execute(
            select(table.gym_id, table.weekday, table.opens_minute, table.closes_minute).where(table.gym_id.in_(ids))
        ):
            found.setdefault(row.gym_id, []).append(OpeningHours(row.weekday, row.opens_minute, row.closes_minute))
        return found

    def occupancy(self, ids: Collection[UUID]) -> dict[UUID, int]:
        """Open visits of gyms; empty ones are left out."""
        rows = self._connection.execute(
            select(open_visits.c.gym_id, func.count())
            .where(open_visits.c.gym_id.in_(ids))
            .group_by(open_visits.c.gym_id)
        )
        return {gym_id: count for gym_id, count in rows}  # noqa: C416 - a row is no pair to dict()

    def known_scans(self, asked: Collection[tuple[str, UUID]]) -> dict[tuple[str, UUID], Row[*tuple[Any, ...]]]:
        """Scans decided before, by the client's id and who asked, with the member as shown."""
        rows = self._connection.execute(
            select(scans, users.c.name, users.c.picture_url)
            .outerjoin(users, users.c.id == scans.c.member_id)
            .where(tuple_(scans.c.scan_id, scans.c.asked_by).in_(asked))
        )
        return {(row.scan_id, row.asked_by): row for row in rows}

    def open_visits_of(self, members: Collection[UUID]) -> dict[UUID, OpenVisit]:
        """Where these members are; those outside are left out."""
        if not members:
            return {}
        table = open_visits.c
        rows = self._connection.execute(
            select(table.member_id, table.visit_id, table.gym_id, table.entered_at).where(table.member_id.in_(members))
        )
        return {row.member_id: OpenVisit(row.visit_id, row.gym_id, row.entered_at) for row in rows}

    def recent_of(self, members: Collection[UUID], now: datetime, window: timedelta) -> Recent:
        """What was accepted of these members lately, annulled scans and repeated answers left out."""
        if not members:
            return Recent({}, frozenset())
        table = scans.c
        rows = self._connection.execute(
            select(
                table.id,
                table.member_id,
                table.gate_id,
                table.outcome,
                table.decided_at,
                table.pass_issued_at,
                table.occupancy,
                table.capacity,
                table.visit_id,
            )
            .where(
                table.member_id.in_(members),
                table.decided_at > now - max(RECENT, window),
                table.outcome != Outcome.REFUSED,
                table.annulled_at.is_(None),
                table.repeats_id.is_(None),
            )
            .order_by(table.decided_at, table.id)
        ).all()
        last = {
            row.member_id: AcceptedScan(
                row.id,
                row.gate_id,
                Outcome(row.outcome),
                row.decided_at,
                row.pass_issued_at,
                row.occupancy,
                row.capacity,
                row.visit_id,
            )
            for row in rows
        }
        left = frozenset((row.member_id, row.pass_issued_at) for row in rows if row.outcome == Outcome.LEFT)
        return Recent(last, left)

    def codes_that_entered(self, codes: Collection[tuple[UUID, datetime]]) -> set[tuple[UUID, datetime]]:
        """Which of these codes, by member and issue time, admitted a visit that still counts."""
        if not codes:
            return set()
        table = visits.c
        rows = self._connection.execute(
            select(table.member_id, table.pass_issued_at).where(
                tuple_(table.member_id, table.pass_issued_at).in_(codes)
            )
        )
        return {(row.member_id, row.pass_issued_at) for row in rows}

    def add_scans(self, rows: list[dict[str, Any]]) -> None:
        """Write scans."""
        if rows:
            self._connection.execute(insert(scans), rows)

    def add_visits(self, rows: list[dict[str, Any]]) -> None:
        """Write visits."""
        if rows:
            self._connection.execute(insert(visits), rows)

    def end_visits(self, endings: Iterable[Ending]) -> None:
        """End visits, those of one cause and moment in one statement."""
        alike: dict[tuple[datetime, Inferred | None], dict[UUID, UUID]] = {}
        for ending in endings:
            alike.setdefault((ending.left_at, ending.inferred), {})[ending.visit_id] = ending.left_scan
        for (left_at, inferred), scan_of in alike.items():
            self._connection.execute(
                update(visits)
                .where(visits.c.id.in_(scan_of))
                .values(
                    left_at=left_at,
                    left_scan=case(
                        *((visits.c.id == visit, literal(scan, Id)) for visit, scan in scan_of.items()), else_=None
                    ),
                    inferred=inferred,
                )
            )

    def open_visits_changed(self, *, opened: list[dict[str, Any]], ended: Collection[UUID]) -> None:
        """Take ended visits out of those inside, then add the opened: a member is inside once."""
        if ended:
            self._connection.execute(delete(open_visits).where(open_visits.c.visit_id.in_(ended)))
        if opened:
            self._connection.execute(insert(open_visits), opened)
