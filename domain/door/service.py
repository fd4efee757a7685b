"""The door's use case: decide a batch of questions in one unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from domain.clock import Clock
from domain.door.annulment import annul
from domain.door.ending import end_visit
from domain.door.head_count import count_heads
from domain.door.machine_model import MachineRequest
from domain.door.machine_service import decide_machine
from domain.door.model import (
    AnnulRequest,
    CheckPayment,
    DoorLimits,
    DoorResult,
    EndVisitRequest,
    HeadCountRequest,
    OfflineScan,
    Outcome,
    Problem,
    Reason,
    Rejected,
    Remedy,
    ScanAnswer,
    ScanRequest,
    ShownMember,
    TidyRequest,
)
from domain.door.offline import record_offline
from domain.door.repository import Asked, DoorRepository, GymRow, MemberRow
from domain.door.rules import decide
from domain.door.scan_batch import Batch
from domain.door.visit_rules import tidy

Request = ScanRequest | AnnulRequest | EndVisitRequest | OfflineScan | HeadCountRequest | TidyRequest | MachineRequest


def decide_batch(
    connection: Connection, requests: Sequence[Request], clock: Clock, limits: DoorLimits
) -> list[DoorResult | None]:
    """Decide whatever changes who is inside, in its order, as if each had been alone.

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
    about = _members_of_scans(repository, free)
    named = {_member(request) for request in free}.union(*about.values())
    wanted_members = {member_id for member_id in named if member_id is not None}
    members = repository.lock_members(wanted_members)
    busy_members = repository.existing_members(wanted_members - members.keys())
    # Whatever is asked of a scan that waits, waits with it: its annulment must not come before it.
    waiting = {asked for asked, named in about.items() if named & busy_members}
    free = [request for request in free if _asked(request) not in waiting and _member(request) not in busy_members]
    decided = iter(_decide(connection, free, _Locked(gyms, members), clock, limits))
    free_ids = {id(request) for request in free}
    return [next(decided) if id(request) in free_ids else None for request in requests]


@dataclass(frozen=True, slots=True)
class _Locked:
    """The gyms and members of a batch."""

    gyms: dict[UUID, GymRow]
    members: dict[UUID, MemberRow]


def _asked(request: Request) -> Asked | None:
    """The scan that a request is, or is about."""
    match request:
        case ScanRequest() | AnnulRequest():
            return request.scan_id, request.asked_by
        case OfflineScan():
            return request.scan.scan_id, request.scan.asked_by
        case _:
            return None


def _member(request: Request) -> UUID | None:
    """Whom a request that is no scan names."""
    return request.member_id if isinstance(request, EndVisitRequest | MachineRequest) else None


def _members_of_scans(repository: DoorRepository, requests: Sequence[Request]) -> dict[Asked, set[UUID]]:
    """Whom each scan is about: one id may come with several codes. Scans of locked gyms do not change any more."""
    annulled = [(request.scan_id, request.asked_by) for request in requests if isinstance(request, AnnulRequest)]
    about: dict[Asked, set[UUID]] = {}
    for asked, row in repository.known_scans(annulled).items():
        about.setdefault(asked, set()).update(() if row.member_id is None else (row.member_id,))
    for request in requests:
        scan = request.scan if isinstance(request, OfflineScan) else request
        if isinstance(scan, ScanRequest):
            member_id = scan.reading.member_id
            about.setdefault((scan.scan_id, scan.asked_by), set()).update(() if member_id is None else (member_id,))
    return about


def _decide(
    connection: Connection, requests: Sequence[Request], locked: _Locked, clock: Clock, limits: DoorLimits
) -> list[DoorResult | None]:
    results: list[DoorResult | None] = []
    for is_scan, run in groupby(requests, key=lambda request: isinstance(request, ScanRequest)):
        if is_scan:
            scans = [request for request in run if isinstance(request, ScanRequest)]
            results += _decide_scans(connection, scans, locked.gyms, locked.members, clock, limits)
        else:
            results += [_decide_other(connection, request, locked, clock, limits) for request in run]
    return results


def _decide_other(
    connection: Connection, request: Request, locked: _Locked, clock: Clock, limits: DoorLimits
) -> DoorResult | None:
    """Decide what is no scan at a gate, by itself."""
    if isinstance(request, MachineRequest):
        return decide_machine(connection, request, clock)
    gym = locked.gyms.get(request.gym_id)
    if gym is None:
        return _unknown_gym()
    match request:
        case AnnulRequest():
            return annul(connection, request, gym, locked.members, clock, limits)
        case EndVisitRequest():
            return end_visit(connection, request, gym, clock)
        case OfflineScan():
            return record_offline(connection, request, gym, locked.members, clock)
        case HeadCountRequest():
            return count_heads(connection, request, gym, clock)
        case TidyRequest():
            return tidy(connection, gym, clock)
        case ScanRequest():
            raise AssertionError("scans are decided together")


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
            result = _unknown_gym()
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


def _unknown_gym() -> Rejected:
    return Rejected(Problem.UNKNOWN_GYM, "There is no such gym; ask for the list of gyms.")


def _reused() -> Rejected:
    return Rejected(
        Problem.SCAN_ID_REUSED,
        "This scan id was used with another gate or direction; give every scan an id of its own.",
    )
