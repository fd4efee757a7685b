"""Staff have counted heads: what is kept as inside is made to agree with what they saw."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from domain.clock import Clock
from domain.door.ending import end_by_inference, parts_of
from domain.door.events import TOPIC, HeadsCounted
from domain.door.model import HeadCountAnswer, HeadCountRequest, Inferred, Problem, Rejected
from domain.door.open_visits import OpenVisits
from domain.door.repository import DoorRepository, GymRow
from domain.door.rows import NewVisit
from domain.door.tables import head_counts
from domain.ids import new_id
from domain.outbox import store_events

# A slip of the hand, such as a digit too many, would fill the gym for everybody else.
_TIMES_CAPACITY, _BESIDE = 3, 50


def count_heads(
    connection: Connection, request: HeadCountRequest, gym: GymRow, clock: Clock
) -> HeadCountAnswer | Rejected | None:
    """Take a head count in; its gym is locked already.

    Too many open visits: the oldest end by inference. Too few: visits without a name begin. Nothing is a number beside
    the open visits.

    Returns:
        None when a member whose visit is to end is in somebody else's hands: ask again in a moment.
    """
    known = _known(connection, request)
    if known is not None:
        return _again(request, known, gym)
    now = clock()
    if now > request.decide_by:
        return Rejected(Problem.COUNT_TOO_LATE, "The count came too late to be true still; count again.")
    most = _TIMES_CAPACITY * gym.capacity + _BESIDE
    if request.counted > most:
        return Rejected(
            Problem.COUNT_NOT_PLAUSIBLE,
            f"The gym is for {gym.capacity}; more than {most} are not believed. Count again, or raise the capacity.",
        )
    repository, open_visits = DoorRepository(connection), OpenVisits(connection)
    before = repository.occupancy(gym.id)
    surplus = max(0, before - request.counted)
    oldest = open_visits.oldest(gym.id, surplus)
    if open_visits.held(oldest) != oldest or open_visits.oldest(gym.id, surplus) != oldest:
        return None
    end_by_inference(connection, gym.id, oldest, Inferred.HEAD_COUNT, now)
    added = max(0, request.counted - before)
    for part in parts_of([NewVisit(new_id(), gym.id, None, None, None, now, None) for _ in range(added)]):
        repository.add_visits(part)
    row_id = new_id()
    connection.execute(
        insert(head_counts).values(
            id=row_id,
            count_id=request.count_id,
            gym_id=gym.id,
            by_id=request.by,
            counted=request.counted,
            inside_before=before,
            closed=surplus,
            added=added,
            reason=request.reason,
            counted_at=now,
        )
    )
    store_events(connection, TOPIC, [(gym.id, HeadsCounted(row_id, gym.id, before, request.counted, now))], now)
    return HeadCountAnswer(
        count_id=request.count_id,
        gym_id=gym.id,
        counted=request.counted,
        before=before,
        closed=surplus,
        added=added,
        occupancy=request.counted,
        capacity=gym.capacity,
        counted_at=now,
        replayed=False,
    )


def _known(connection: Connection, request: HeadCountRequest) -> Row[Any] | None:
    return connection.execute(
        select(head_counts).where(head_counts.c.count_id == request.count_id, head_counts.c.by_id == request.by)
    ).one_or_none()


def _again(request: HeadCountRequest, row: Row[Any], gym: GymRow) -> HeadCountAnswer | Rejected:
    if (row.gym_id, row.counted) != (request.gym_id, request.counted):
        return Rejected(
            Problem.REQUEST_ID_REUSED, "This count id was used for another count; give every count an id of its own."
        )
    return HeadCountAnswer(
        count_id=row.count_id,
        gym_id=row.gym_id,
        counted=row.counted,
        before=row.inside_before,
        closed=row.closed,
        added=row.added,
        occupancy=row.counted,
        capacity=gym.capacity,
        counted_at=row.counted_at,
        replayed=True,
    )
