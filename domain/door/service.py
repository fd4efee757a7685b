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
from domain.door.repository import Asked, DoorRepository, GymRow, MemberRow
from domain.door.rules import decide

Request = ScanRequest | AnnulRequest


def decide_batch(
    connection: Connection, requests: Sequence[Request], clock: Clock, limits: DoorLimits
) -> list[DoorResult | None]:
    """Decide scans and annulments, in their order, as if each had been alone.

    Locks the batch's gyms by id, then its members by id; every deciding read comes after. Nobody waits for a lock: a
    question about a gym or a member whom somebody else holds is left undecided, and the others are decided without it.
    Writes, but does not commit: the unit of work is the caller's.

    Returns:
        One result for each request, in their order; None where nothing was decided: ask again in a moment.

    Raises:
        sqlalchemy.exc.DBAPIError: a race was lost, or the database is away: roll back and ask again.
    """
    repository = DoorRepository(connection)
    wanted_gyms = {request.gym_id for request in requests}
    gyms = repository.lock_gyms(wanted_gyms)
    busy_gyms = repository.existing_gyms(wanted_gyms - gyms.keys())
    free = [request for request in requests if request.gym_id not in busy_gyms]
    about = _members(repository, free)
    wanted_members = {member_id for named in about.values() for member_id in named}
    members = repository.lock_members(wanted_members)
    busy_members = repository.existing_members(wanted_members - members.keys())
    # Whatever is asked of a scan that waits, waits with it: its annulment must not come before it.
    waiting = {asked for asked, named in about.items() if named & busy_members}
    free = [request for request in free if (request.scan_id, request.asked_by) not in waiting]
    decided = iter(_decide(connection, free, gyms, members, clock, limits))
    free_ids = {id(request) for request in free}
    return [next(decided) if id(request) in free_ids else None for request in requests]


def _members(repository: DoorRepository, requests: Sequence[Request]) -> dict[Asked, set[UUID]]:
    """Whom each scan is about: one id may come with several codes. Scans of locked gyms do not change any more."""
    annulled = [(request.scan_id, request.asked_by) for request in requests if isinstance(request, AnnulRequest)]
    named = [(asked, row.member_id) for asked, row in repository.known_scans(annulled).items()]
    named += [
        ((request.scan_id, request.asked_by), request.reading.member_id)
        for request in requests
        if isinstance(request, ScanRequest)
    ]
    about: dict[Asked, set[UUID]] = {}
    for asked, member_id in named:
        about.setdefault(asked, set()).update(() if member_id is None else (member_id,))
    return about


def _decide(
    connection: Connection,
    requests: Sequence[Request],
    gyms: dict[UUID, GymRow],
    members: dict[UUID, MemberRow],
    clock: Clock,
    limits: DoorLimits,
) -> list[DoorResult]:
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
