"""The door's use case: decide a batch of questions in one unit of work."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from domain.clock import Clock
from domain.door.annulment import annul
from domain.door.batch import Batch
from domain.door.model import (
    AnnulRequest,
    CheckPayment,
    DoorLimits,
    DoorResult,
    Outcome,
    Problem,
    Reason,
    Rejected,
    Remedy,
    ScanAnswer,
    ScanRequest,
    ShownMember,
)
from domain.door.repository import DoorRepository, GymRow, MemberRow
from domain.door.rules import decide

Asked = tuple[str, UUID]  # a scan id and whose it is


def decide_batch(
    connection: Connection, requests: Sequence[ScanRequest | AnnulRequest], clock: Clock, limits: DoorLimits
) -> list[DoorResult]:
    """Decide scans and annulments, in their order, as if each had been alone.

    Locks the batch's gyms by id, then its members by id; every deciding read comes after. Writes, but does not
    commit: the unit of work is the caller's.

    Returns:
        One result for each request, in their order.

    Raises:
        sqlalchemy.exc.DBAPIError: a race was lost, or the database is away: roll back and ask again.
    """
    repository = DoorRepository(connection)
    gyms = repository.lock_gyms({request.gym_id for request in requests})
    members = repository.lock_members(_members(repository, requests))
    results: list[DoorResult] = []
    for is_scan, run in groupby(requests, key=lambda request: isinstance(request, ScanRequest)):
        if is_scan:
            scans = [request for request in run if isinstance(request, ScanRequest)]
            results += _decide_scans(connection, scans, gyms, members, clock, limits)
        else:
            results += [
                annul(connection, request, gyms.get(request.gym_id), clock, limits)
                for request in run
                if isinstance(request, AnnulRequest)
            ]
    return results


def _members(repository: DoorRepository, requests: Sequence[ScanRequest | AnnulRequest]) -> set[UUID]:
    """Everybody whom the batch is about; scans of locked gyms do not change any more."""
    annulled = [(request.scan_id, request.asked_by) for request in requests if isinstance(request, AnnulRequest)]
    about = {row.member_id for row in repository.known_scans(annulled).values()} if annulled else set()
    about |= {request.reading.member_id for request in requests if isinstance(request, ScanRequest)}
    return {member_id for member_id in about if member_id is not None}


def _decide_scans(
    connection: Connection,
    requests: list[ScanRequest],
    gyms: dict[UUID, GymRow],
    members: dict[UUID, MemberRow],
    clock: Clock,
    limits: DoorLimits,
) -> list[DoorResult]:
    known = DoorRepository(connection).known_scans([(request.scan_id, request.asked_by) for request in requests])
    answered: dict[Asked, tuple[ScanRequest, ScanAnswer]] = {}
    batch = Batch(connection, requests, gyms, members, clock(), limits)
    results: list[DoorResult] = []
    for request in requests:
        asked = (request.scan_id, request.asked_by)
        result: DoorResult
        if asked in known:
            result = _answer_again(request, known[asked])
        elif asked in answered:
            result = _answer_twin(request, *answered[asked])
        elif request.gym_id not in gyms:
            result = Rejected(Problem.UNKNOWN_GYM, "There is no such gym; ask for the list of gyms.")
        else:
            result = _decide_one(request, batch, clock, limits)
        if isinstance(result, ScanAnswer):
            answered.setdefault(asked, (request, result))
        results.append(result)
    batch.write()
    return results


def _decide_one(request: ScanRequest, batch: Batch, clock: Clock, limits: DoorLimits) -> ScanAnswer | CheckPayment:
    member = batch.member(request)
    verdict = decide(request, batch.gym(request.gym_id), member, clock(), limits)
    if verdict.ask_payment and member is not None:
        return CheckPayment(request.scan_id, member.shown.id)
    return batch.apply(request, member, verdict)


def _answer_again(request: ScanRequest, row: Row[*tuple[Any, ...]]) -> ScanAnswer | Rejected:
    """A scan id that was decided before: the first answer, though its code may be stale by now."""
    if row.gate_id is not None and (row.gate_id, row.direction) != (request.gate_id, request.direction):
        return _reused()
    # An annulled scan opens no door; nor does the tombstone of one that was annulled before it came.
    annulled = row.annulled_at is not None
    shown = ShownMember(row.member_id, row.name, row.picture_url) if row.name is not None else None
    return ScanAnswer(
        scan_id=row.scan_id,
        outcome=Outcome.REFUSED if annulled else Outcome(row.outcome),
        reason=Reason.TOO_LATE if annulled else row.reason and Reason(row.reason),
        remedy=Remedy.SCAN_AGAIN if annulled else row.remedy and Remedy(row.remedy),
        member=shown,
        gym_id=row.gym_id,
        occupancy=row.occupancy,
        capacity=row.capacity,
        decided_at=row.decided_at,
        replayed=True,
    )


def _answer_twin(request: ScanRequest, first: ScanRequest, answer: ScanAnswer) -> ScanAnswer | Rejected:
    """The same scan id twice in one batch."""
    if (first.gate_id, first.direction) != (request.gate_id, request.direction):
        return _reused()
    return replace(answer, replayed=True)


def _reused() -> Rejected:
    return Rejected(
        Problem.SCAN_ID_REUSED,
        "This scan id was used with another gate or direction; give every scan an id of its own.",
    )
