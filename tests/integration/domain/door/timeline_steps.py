"""Steps on a member's timeline, and the visits that are kept of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from domain.door.model import AnnulAnswer, Conflict, Direction, OfflineAnswer, OfflineScan, Outcome, ScanRequest
from domain.door.reconcile import disagreements
from domain.door.tables import visits
from tests.world import World

Kept = tuple[UUID, datetime, datetime | None, str | None]


def entered(world: World, gym: UUID, member: UUID, direction: Direction = Direction.ENTER) -> ScanRequest:
    request = world.scan(gym, world.code(member), direction)
    assert world.answer(request).outcome is Outcome.ENTERED
    return request


def uploaded(world: World, upload: OfflineScan) -> Conflict | None:
    (answer,) = world.ask(upload)
    assert isinstance(answer, OfflineAnswer), answer
    return answer.conflict


def annul(world: World, request: ScanRequest | OfflineScan) -> AnnulAnswer:
    scan = request.scan if isinstance(request, OfflineScan) else request
    (answer,) = world.ask(world.annulment(scan.gym_id, scan.scan_id, by_staff=True))
    assert isinstance(answer, AnnulAnswer), answer
    return answer


def kept(world: World, member: UUID) -> list[Kept]:
    """The member's visits that count, once the tables agree with each other."""
    with world.store.reading() as connection:
        assert disagreements(connection) == []
        rows = connection.execute(
            select(visits)
            .where(visits.c.member_id == member, visits.c.annulled_at.is_(None))
            .order_by(visits.c.entered_at)
        )
        return [(row.gym_id, row.entered_at, row.left_at, row.inferred) for row in rows]
