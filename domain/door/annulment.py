"""Undo a scan: afterwards pass, visit and count are as if it had not been."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update

from domain.clock import Clock
from domain.door.corrections import correct_visits
from domain.door.events import TOPIC, ScanAnnulled
from domain.door.model import AnnulAnswer, AnnulRequest, DoorLimits, Outcome, Problem, Reason, Rejected, Remedy
from domain.door.repository import DoorRepository, GymRow, MemberRow
from domain.door.tables import scans, visits
from domain.door.timeline_repository import drop_conflict, happened_at
from domain.ids import new_id
from domain.outbox import store_events

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
    drop_conflict(connection, scan.id)
    member = members.get(scan.member_id)
    if scan.outcome != Outcome.REFUSED and member is not None:
        correct_visits(connection, member, happened_at(scan), now)
    elif scan.outcome != Outcome.REFUSED:
        _annul_visit_of_nobody(connection, scan, now)
    answer = _answer(repository, request, gym, now)
    event = ScanAnnulled(new_id(), gym.id, scan.member_id, Outcome(scan.outcome), answer.occupancy, now)
    store_events(connection, TOPIC, [(gym.id, event)], now)
    return answer


def _answer(repository: DoorRepository, request: AnnulRequest, gym: GymRow, annulled_at: datetime) -> AnnulAnswer:
    occupancy = repository.occupancy(gym.id)
    over = occupancy > gym.capacity
    return AnnulAnswer(request.scan_id, annulled_at, gym.id, occupancy, gym.capacity, over_capacity=over)


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


def _annul_visit_of_nobody(connection: Connection, scan: Row[Any], now: datetime) -> None:
    """Of an account that is gone, what has ended stays so; a visit goes with the last scan that it answered."""
    if scan.outcome != Outcome.ENTERED or scan.visit_id is None:
        return
    visit = connection.execute(select(visits).where(visits.c.id == scan.visit_id)).one()
    if visit.annulled_at is not None or visit.entered_scan != scan.id:
        return
    # The same gate, so the same gym; an id begins with its milliseconds (RFC 9562 section 5.7).
    milliseconds = _REPEATED_WITHIN // timedelta(milliseconds=1)
    heir = connection.execute(
        select(scans.c.id, scans.c.decided_at)
        .where(
            scans.c.gym_id == scan.gym_id,
            scans.c.id > scan.id,
            scans.c.id < UUID(int=scan.id.int + (milliseconds << 80)),
            scans.c.visit_id == visit.id,
            scans.c.outcome == Outcome.ENTERED,
            scans.c.annulled_at.is_(None),
        )
        .order_by(scans.c.decided_at, scans.c.id)
        .limit(1)
    ).one_or_none()
    if heir is not None and (visit.left_at is None or heir.decided_at <= visit.left_at):
        values = {"entered_scan": heir.id, "entered_at": heir.decided_at}
        connection.execute(update(visits).where(visits.c.id == visit.id).values(values))
        return
    connection.execute(update(visits).where(visits.c.id == visit.id).values(annulled_at=now, pass_issued_at=None))
