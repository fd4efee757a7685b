"""Undo a scan: afterwards pass, visit and count are as if it had not been."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, case, delete, insert, literal, select, update

from domain.clock import Clock
from domain.column_types import Id
from domain.door.ending import free_machines
from domain.door.events import TOPIC, ScanAnnulled, VisitReopened
from domain.door.machine_model import UseEnded
from domain.door.machine_uses import MachineUses
from domain.door.model import (
    AnnulAnswer,
    AnnulRequest,
    DoorLimits,
    Inferred,
    Outcome,
    Problem,
    Reason,
    Rejected,
    Remedy,
)
from domain.door.offline_visits import rebuild
from domain.door.repository import DoorRepository, GymRow, MemberRow
from domain.ids import new_id
from domain.outbox import store_events
from domain.tables import open_visits, scans, users, visits

_REPEATED_WITHIN = timedelta(minutes=10)  # far longer than a phone is held up


def annul(
    connection: Connection,
    request: AnnulRequest,
    gym: GymRow,
    members: Mapping[UUID, MemberRow],
    clock: Clock,
    limits: DoorLimits,
) -> AnnulAnswer | Rejected:
    """Annul one scan; its gym and its member are locked already.

    A scan that was never seen leaves a tombstone, so that the scan is refused when it comes after all.
    """
    repository = DoorRepository(connection)
    now = clock()
    scan = repository.known_scans([(request.scan_id, request.asked_by)]).get((request.scan_id, request.asked_by))
    if scan is None:
        _tombstone(connection, request, gym, now)
        return _answer(repository, request, gym, now)
    if scan.annulled_at is not None:
        return _answer(repository, request, gym, scan.annulled_at)
    if not request.by_staff and request.arrived_at - scan.decided_at > limits.annul_window:
        minutes = round(limits.annul_window.total_seconds() / 60)
        return Rejected(
            Problem.ANNUL_WINDOW_OVER, f"A device may annul its scan for {minutes} minutes; ask staff to annul it."
        )
    connection.execute(
        update(scans)
        .where(scans.c.id == scan.id)
        .values(annulled_at=now, annulled_by=request.by, annul_reason=request.reason)
    )
    if scan.repeats_id is None and scan.outcome != Outcome.REFUSED and not scan.offline:
        heir = _first_repeat(connection, scan)
        if heir is None:
            _undo(connection, scan, now)
        else:
            _hand_over(connection, scan, heir)
    member = members.get(scan.member_id)
    if member is not None and not member.deleted:
        rebuild(connection, member, now)
    answer = _answer(repository, request, gym, now)
    event = ScanAnnulled(new_id(), gym.id, scan.member_id, Outcome(scan.outcome), answer.occupancy, now)
    store_events(connection, TOPIC, [(gym.id, event)], now)
    return answer


def _answer(repository: DoorRepository, request: AnnulRequest, gym: GymRow, annulled_at: datetime) -> AnnulAnswer:
    occupancy = repository.occupancy(gym.id)
    return AnnulAnswer(request.scan_id, annulled_at, gym.id, occupancy, gym.capacity)


def _tombstone(connection: Connection, request: AnnulRequest, gym: GymRow, now: datetime) -> None:
    connection.execute(
        insert(scans).values(
            id=new_id(),
            scan_id=request.scan_id,
            asked_by=request.asked_by,
            gym_id=gym.id,
            arrived_at=request.arrived_at,
            decided_at=now,
            outcome=Outcome.REFUSED,
            reason=Reason.TOO_LATE,
            remedy=Remedy.SCAN_AGAIN,
            occupancy=DoorRepository(connection).occupancy(gym.id),
            capacity=gym.capacity,
            annulled_at=now,
            annulled_by=request.by,
            annul_reason=request.reason,
        )
    )


def _first_repeat(connection: Connection, scan: Row[*tuple[Any, ...]]) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(
        select(scans.c.id, scans.c.decided_at)
        .where(*_repeats_of(scan), scans.c.annulled_at.is_(None))
        .order_by(scans.c.decided_at, scans.c.id)
        .limit(1)
    ).one_or_none()


def _hand_over(connection: Connection, scan: Row[*tuple[Any, ...]], heir: Row[*tuple[Any, ...]]) -> None:
    """A phone held up was given the annulled answer again, and that scan stands: what was decided is now its own."""
    moved = {"entered_scan": heir.id, "entered_at": heir.decided_at}
    if scan.outcome == Outcome.ENTERED:
        connection.execute(update(visits).where(visits.c.id == scan.visit_id).values(moved))
        connection.execute(
            update(open_visits).where(open_visits.c.visit_id == scan.visit_id).values(entered_at=heir.decided_at)
        )
    connection.execute(update(visits).where(*_ended_by(scan)).values(left_scan=heir.id, left_at=heir.decided_at))
    connection.execute(
        update(scans)
        .where(*_repeats_of(scan))
        .values(repeats_id=case((scans.c.id == heir.id, None), else_=literal(heir.id, Id)))
    )


def _repeats_of(scan: Row[*tuple[Any, ...]]) -> list[ColumnElement[bool]]:
    """Which scans gave its answer again. One of a deleted account has no member any more to find them by."""
    if scan.member_id is not None:
        near = [scans.c.member_id == scan.member_id, scans.c.decided_at >= scan.decided_at]
    else:
        # The same gate, so the same gym; an id begins with its milliseconds (RFC 9562 section 5.7).
        milliseconds = _REPEATED_WITHIN // timedelta(milliseconds=1)
        last = UUID(int=scan.id.int + (milliseconds << 80))
        near = [scans.c.gym_id == scan.gym_id, scans.c.id > scan.id, scans.c.id < last]
    return [*near, scans.c.repeats_id == scan.id]


def _ended_by(scan: Row[*tuple[Any, ...]]) -> list[ColumnElement[bool]]:
    """Which visits it ended; of a deleted account, no other than the one that it names."""
    near = visits.c.member_id == scan.member_id if scan.member_id is not None else visits.c.id == scan.visit_id
    return [near, visits.c.left_scan == scan.id]


def _undo(connection: Connection, scan: Row[*tuple[Any, ...]], now: datetime) -> None:
    if scan.outcome == Outcome.ENTERED:
        freed = free_machines(connection, [scan.visit_id], now, UseEnded.SCAN_ANNULLED)
        store_events(connection, TOPIC, freed, now)
        connection.execute(delete(open_visits).where(open_visits.c.visit_id == scan.visit_id))
        connection.execute(
            update(visits).where(visits.c.id == scan.visit_id).values(annulled_at=now, pass_issued_at=None)
        )
    if scan.member_id is None:  # an account that is gone: what has ended stays so
        return
    # What it ended is told by the visit, not by the scan: other annulments may have given it another visit to end.
    for visit in connection.execute(
        select(visits.c.id, visits.c.gym_id, visits.c.entered_at, visits.c.left_at).where(
            *_ended_by(scan), visits.c.annulled_at.is_(None)
        )
    ).all():
        _go_on(connection, visit, scan, now)


def _go_on(connection: Connection, visit: Row[*tuple[Any, ...]], scan: Row[Any], now: datetime) -> None:
    """Let a visit go on past the annulled scan: to the next end that it would have had, or to now."""
    later = _next_end(connection, visit.gym_id, scan)
    deleted_at = connection.execute(select(users.c.deleted_at).where(users.c.id == scan.member_id)).scalar()
    if later is None and deleted_at is not None:
        connection.execute(
            update(visits)
            .where(visits.c.id == visit.id)
            .values(left_at=deleted_at, left_scan=None, inferred=Inferred.ACCOUNT_DELETED)
        )
        return
    if later is None:
        connection.execute(
            update(visits).where(visits.c.id == visit.id).values(left_at=None, left_scan=None, inferred=None)
        )
        connection.execute(
            insert(open_visits).values(
                visit_id=visit.id, gym_id=visit.gym_id, member_id=scan.member_id, entered_at=visit.entered_at
            )
        )
        MachineUses(connection).resume(visit.id, visit.left_at)
        event = VisitReopened(new_id(), visit.gym_id, visit.id, scan.member_id, now)
        store_events(connection, TOPIC, [(visit.gym_id, event)], now)
        return
    inferred = None
    if later.outcome == Outcome.ENTERED:
        inferred = Inferred.ENTERED_AGAIN if later.gym_id == visit.gym_id else Inferred.ENTERED_ELSEWHERE
    connection.execute(
        update(visits)
        .where(visits.c.id == visit.id)
        .values(left_at=later.decided_at, left_scan=later.id, inferred=inferred)
    )


def _next_end(connection: Connection, gym_id: UUID, scan: Row[*tuple[Any, ...]]) -> Row[*tuple[Any, ...]] | None:
    rows = connection.execute(
        select(scans.c.id, scans.c.gym_id, scans.c.outcome, scans.c.decided_at)
        .where(
            scans.c.member_id == scan.member_id,
            scans.c.decided_at >= scan.decided_at,
            scans.c.id > scan.id,
            scans.c.outcome != Outcome.REFUSED,
            scans.c.annulled_at.is_(None),
            scans.c.repeats_id.is_(None),
            scans.c.offline.is_(None),
        )
        .order_by(scans.c.decided_at, scans.c.id)
    )
    return next((row for row in rows if row.outcome == Outcome.ENTERED or row.gym_id == gym_id), None)
