"""Compares the store with the answers of the doors: what must hold after every load."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from cluster.load.oracle import AnswerLog
from domain.door.model import Outcome
from domain.door.tables import open_visits, scans


@dataclass(frozen=True, slots=True)
class StoreComparison:
    """The store compared with the answers.

    Args:
        answered: answers that were given.
        stored: scans in the store.
        lost: answers whose scan is not in the store.
        stored_otherwise: answers whose scan is stored with another content.
        wrongly_inside: members who are inside and must not be, or the reverse; 0 where a scan has no
            answer, so that nobody knows.
        inside: open visits.
        occupancy_broken: scans whose occupancy does not follow from the scans before them.
        over_capacity: scans that found more inside than the capacity.
    """

    answered: int
    stored: int
    lost: int
    stored_otherwise: int
    wrongly_inside: int
    inside: int
    occupancy_broken: int
    over_capacity: int


def compare_with_store(
    connection: Connection, gym_ids: Sequence[UUID], log: AnswerLog, since: UUID, inside_before: Iterable[UUID] = ()
) -> StoreComparison:
    """Look up every answer, count along with the scans, and see who is inside.

    Args:
        gym_ids: the gyms whose scans are read.
        since: an id older than every scan of the load.
        inside_before: the gym of everybody who was inside before it.
    """
    table = scans.c
    rows = connection.execute(
        select(
            *(table.scan_id, table.asked_by, table.outcome, table.reason, table.remedy, table.gym_id),
            *(table.occupancy, table.capacity, table.decided_at, table.visit_id, table.repeats_id),
        )
        .where(table.gym_id.in_(gym_ids), table.id > since)
        .order_by(table.id)
    )
    inside = Counter(inside_before)
    stored: dict[tuple[str, UUID], tuple[object, ...]] = {}
    broken = over = 0
    for row in rows:
        stored[row.scan_id, row.asked_by] = tuple(row)[2:9]
        if row.repeats_id is not None:
            continue  # a phone that was held up is answered as before
        if row.outcome == Outcome.ENTERED:
            inside[row.gym_id] += 1
        elif row.outcome == Outcome.LEFT and row.visit_id is not None:
            inside[row.gym_id] -= 1
        broken += inside[row.gym_id] != row.occupancy
        over += row.occupancy > row.capacity
        inside[row.gym_id] = row.occupancy  # one break counts once
    lost = otherwise = 0
    for device_id, answer in log.answers:
        kept = stored.get((answer.scan_id, device_id))
        if kept is None:
            lost += 1
        else:
            otherwise += kept != (
                *(answer.outcome, answer.reason, answer.remedy, answer.gym_id),
                *(answer.occupancy, answer.capacity, answer.decided_at),
            )
    query = select(open_visits.c.member_id, open_visits.c.gym_id).where(open_visits.c.gym_id.in_(gym_ids))
    visitors = [(row.member_id, row.gym_id) for row in connection.execute(query)]
    wrongly = len(set(visitors) ^ set(log.inside.items())) if not log.unanswered else 0
    return StoreComparison(len(log.answers), len(stored), lost, otherwise, wrongly, len(visitors), broken, over)
