"""End a visit without a scan, and what goes with every visit's end: its machine is free."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from domain.clock import Clock
from domain.door.events import TOPIC, DoorEvent, VisitInferred
from domain.door.machine_model import UseEnded
from domain.door.machine_repository import MachineUses
from domain.door.model import EndVisitAnswer, EndVisitRequest, Inferred, Rejected
from domain.door.repository import DoorRepository, GymRow
from domain.ids import new_id
from domain.outbox import store_events

T = TypeVar("T")

_AT_ONCE = 500


def end_visit(connection: Connection, request: EndVisitRequest, gym: GymRow, clock: Clock) -> EndVisitAnswer | Rejected:
    """End a member's open visit at a gym; both are locked already. Where none is open nothing changes."""
    repository = DoorRepository(connection)
    now = clock()
    visit_id = repository.open_visit(request.member_id, gym.id)
    if visit_id is not None:
        end_by_inference(connection, gym.id, [(visit_id, request.member_id)], request.inferred, now)
    return EndVisitAnswer(
        member_id=request.member_id,
        gym_id=gym.id,
        ended=visit_id is not None,
        occupancy=repository.occupancy(gym.id),
        capacity=gym.capacity,
        decided_at=now,
    )


def end_by_inference(
    connection: Connection,
    gym_id: UUID,
    visits: Sequence[tuple[UUID, UUID | None]],
    inferred: Inferred,
    now: datetime,
) -> None:
    """End open visits of a gym without a scan, tell of it, and free their machines.

    Args:
        visits: each with its member; None of one without a name.
    """
    for part in parts_of(visits):
        DoorRepository(connection).end_visits_by_rule([visit_id for visit_id, _ in part], inferred, now)
        events: list[tuple[UUID, DoorEvent]] = [
            (gym_id, VisitInferred(new_id(), gym_id, visit_id, member_id, inferred, now))
            for visit_id, member_id in part
        ]
        events += free_machines(connection, [visit_id for visit_id, _ in part], now)
        store_events(connection, TOPIC, events, now)


def parts_of(many: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as one statement may name."""
    for start in range(0, len(many), _AT_ONCE):
        yield many[start : start + _AT_ONCE]


def free_machines(
    connection: Connection, visits: Collection[UUID], now: datetime, why: UseEnded = UseEnded.LEFT_GYM
) -> list[tuple[UUID, DoorEvent]]:
    """Free the machines that are used during visits that end.

    Returns:
        What is to be told of it, by gym.
    """
    if not visits:
        return []
    uses = MachineUses(connection)
    return uses.end(uses.of_visits(visits), now, why)
