"""Use cases of the door. Each loads its state, decides by pure rules, and saves the changes."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import Connection

from domain.clock import Clock
from domain.door.annulment import decide_annulment
from domain.door.lock_repository import LockRepository
from domain.door.machine_model import MachineAnswer, MachineRequest
from domain.door.machine_rules import decide_use
from domain.door.machine_use_repository import MachineUseRepository
from domain.door.model import (
    AnnulAnswer,
    AnnulRequest,
    DoorLimits,
    DoorRequest,
    DoorResult,
    EndVisitAnswer,
    EndVisitRequest,
    ExpireVisitsAnswer,
    ExpireVisitsRequest,
    HeadCountAnswer,
    HeadCountRequest,
    OfflineAnswer,
    OfflineScan,
    Rejected,
    ScanRequest,
)
from domain.door.offline import decide_upload
from domain.door.repository import DoorRepository
from domain.door.rules import last_entitled_day
from domain.door.scan_batch import UNKNOWN_GYM, decide_scans
from domain.door.state import LockedGym, LockedRows
from domain.door.timeline_repository import TimelineRepository
from domain.door.visit_repository import VisitRepository
from domain.door.visit_rules import decide_end_visit, decide_head_count, end_forgotten


def decide_batch(
    connection: Connection, requests: Sequence[DoorRequest], clock: Clock, limits: DoorLimits
) -> list[DoorResult | None]:
    """Decide requests in order, with the results that they would have had one by one.

    Locks the gyms of the batch by id, then its members by id. Everything is loaded after the locks. A request whose gym
    or member another transaction has locked is skipped. Consecutive scans are decided together. The caller commits.

    Returns:
        One result for each request; None for a skipped one, which is to be decided again in a moment.

    Raises:
        sqlalchemy.exc.DBAPIError: a race was lost or the database is unavailable: roll back and decide again.
    """
    locked = LockRepository(connection).lock(requests)
    free = [request for position, request in enumerate(requests) if position not in locked.waiting]
    decided: list[DoorResult | None] = []
    for is_scan, run in groupby(free, key=lambda request: isinstance(request, ScanRequest)):
        if is_scan:
            scans = [request for request in run if isinstance(request, ScanRequest)]
            decided += _scan(connection, scans, locked, clock, limits)
        else:
            decided += [_decide_single(connection, request, locked, clock, limits) for request in run]
    results = iter(decided)
    return [None if position in locked.waiting else next(results) for position in range(len(requests))]


def entitled_until(connection: Connection, member_id: UUID, gym_id: UUID, now: datetime) -> date | None:
    """The last day of the membership by which a member may enter a gym today; None: they may not.

    Opening hours and capacity are not considered. In its grace period a membership still admits after this day.

    Args:
        member_id: any id.
        now: the time in question.
    """
    state = DoorRepository(connection).load_entitlement(member_id, gym_id)
    return None if state is None else last_entitled_day(state, now)


def gyms_with_forgotten_visits(connection: Connection, now: datetime) -> list[UUID]:
    """The gyms at which a visit or a use of a machine is forgotten.

    The number of statements grows with the gyms in use, not with the members inside.
    """
    repository = VisitRepository(connection)
    visits, uses = repository.oldest_visits(), repository.oldest_uses()
    found = []
    for gym_id in visits.keys() | uses.keys():
        limits = repository.stay_limits(gym_id)
        if limits is None:
            continue
        visit_over = gym_id in visits and limits.visit_over_at(visits[gym_id]) <= now
        if visit_over or (gym_id in uses and uses[gym_id] + limits.longest_use <= now):
            found.append(gym_id)
    return sorted(found)


def _scan(
    connection: Connection, requests: Sequence[ScanRequest], locked: LockedRows, clock: Clock, limits: DoorLimits
) -> list[DoorResult]:
    """Decide consecutive scans. The deadline is compared with the time after loading."""
    repository = DoorRepository(connection)
    state = repository.load(requests, locked, clock(), limits)
    now = clock()
    results, changes = decide_scans(requests, state, now, limits)
    repository.save(changes, now)
    return results


def _decide_single(
    connection: Connection, request: DoorRequest, locked: LockedRows, clock: Clock, limits: DoorLimits
) -> DoorResult | None:
    """Decide a request that is no scan at a gate."""
    if isinstance(request, MachineRequest):
        return _use_machine(connection, request, clock)
    gym = locked.gyms.get(request.gym_id)
    if gym is None:
        return UNKNOWN_GYM
    match request:
        case AnnulRequest():
            return _annul(connection, request, gym, locked, clock, limits)
        case OfflineScan():
            return _record_upload(connection, request, gym, locked, clock)
        case EndVisitRequest():
            return _end_visit(connection, request, gym, clock)
        case HeadCountRequest():
            return _count_heads(connection, request, gym, clock)
        case ExpireVisitsRequest():
            return _end_forgotten(connection, gym, clock())
        case ScanRequest():
            raise AssertionError("scans are decided together")


def _use_machine(connection: Connection, request: MachineRequest, clock: Clock) -> MachineAnswer | Rejected:
    """Use or release a machine."""
    repository = MachineUseRepository(connection)
    state = repository.load(request)
    now = clock()
    answer, changes = decide_use(request, state, now)
    repository.save(changes, now)
    return answer


def _annul(
    connection: Connection, request: AnnulRequest, gym: LockedGym, locked: LockedRows, clock: Clock, limits: DoorLimits
) -> AnnulAnswer | Rejected:
    """Annul a scan."""
    repository = TimelineRepository(connection)
    state = repository.load_annulment(request, locked)
    now = clock()
    answer, changes = decide_annulment(request, gym, state, now, limits)
    repository.save(changes, now)
    return answer


def _record_upload(
    connection: Connection, request: OfflineScan, gym: LockedGym, locked: LockedRows, clock: Clock
) -> OfflineAnswer | Rejected:
    """Record an offline scan."""
    repository = TimelineRepository(connection)
    state = repository.load_upload(request, locked)
    now = clock()
    answer, changes = decide_upload(request, gym, state, now)
    repository.save(changes, now)
    return answer


def _end_visit(connection: Connection, request: EndVisitRequest, gym: LockedGym, clock: Clock) -> EndVisitAnswer:
    """End a member's visit."""
    repository = VisitRepository(connection)
    state = repository.load_end_visit(request)
    now = clock()
    answer, changes = decide_end_visit(request, gym, state, now)
    repository.save(changes, now)
    return answer


def _count_heads(
    connection: Connection, request: HeadCountRequest, gym: LockedGym, clock: Clock
) -> HeadCountAnswer | Rejected | None:
    """Correct the occupancy by a head count."""
    repository = VisitRepository(connection)
    state = repository.load_head_count(request, gym)
    now = clock()
    answer, changes = decide_head_count(request, gym, state, now)
    repository.save(changes, now)
    return answer


def _end_forgotten(connection: Connection, gym: LockedGym, now: datetime) -> ExpireVisitsAnswer:
    """End forgotten visits and uses of machines."""
    repository = VisitRepository(connection)
    state = repository.load_forgotten(gym.id, now)
    answer, changes = end_forgotten(gym, state, now)
    repository.save(changes, now)
    return answer
