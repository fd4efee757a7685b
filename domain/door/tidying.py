"""End by rule what was forgotten: visits whose exit nobody scanned, and machines that nobody released."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select

from domain.clock import Clock
from domain.door.ending import end_by_inference
from domain.door.events import TOPIC
from domain.door.machine_model import UseEnded
from domain.door.machine_uses import MachineUses
from domain.door.model import Inferred, TidyAnswer
from domain.door.open_visits import OpenVisits
from domain.door.repository import GymRow
from domain.door.tables import open_machine_uses, open_visits
from domain.gyms.hours_repository import HoursRepository
from domain.gyms.opening_hours import closing_after
from domain.gyms.tables import gyms
from domain.gyms.timetable import Timetable
from domain.outbox import store_events


@dataclass(frozen=True, slots=True)
class StayLimits:
    """How long one may be inside a gym, and at a machine, before it counts as forgotten."""

    longest_visit: timedelta
    grace_after_closing: timedelta
    longest_use: timedelta
    time_zone: str
    timetable: Timetable

    def visit_over_at(self, entered_at: datetime) -> datetime:
        """From when on a visit counts as forgotten; one that began later is so no earlier."""
        over_at = entered_at + self.longest_visit
        hours = self.timetable
        closing = closing_after(hours.hours, hours.exceptions, self.time_zone, entered_at)
        return over_at if closing is None else min(over_at, closing + self.grace_after_closing)


def tidy(connection: Connection, gym: GymRow, clock: Clock) -> TidyAnswer:
    """End what is over at a gym, which is locked already. Whom somebody else holds is left for the next time."""
    limits = _limits(connection, gym.id)
    assert limits is not None  # noqa: S101 - it is locked, so it is there
    now = clock()
    open_now = OpenVisits(connection)
    over = [
        (visit_id, member_id)
        for visit_id, member_id, entered_at in open_now.since(gym.id)
        if limits.visit_over_at(entered_at) <= now
    ]
    over = open_now.still_open(open_now.held(over))
    end_by_inference(connection, gym.id, over, Inferred.FORGOTTEN, now)
    uses = MachineUses(connection)
    long = uses.at_gym(gym.id, now - limits.longest_use)
    used = open_now.held([(use.visit_id, use.member_id) for use in long])
    # A use ends in this gym, whose lock is ours, or with its visit.
    held = {visit_id for visit_id, _ in open_now.still_open(used)}
    too_long = [use for use in long if use.visit_id in held]
    store_events(connection, TOPIC, uses.end(too_long, now, UseEnded.TOO_LONG), now)
    return TidyAnswer(gym.id, len(over), len(too_long), now)


def gyms_to_tidy(connection: Connection, now: datetime) -> list[UUID]:
    """The gyms where something is over; what is asked grows with the gyms that are in use, not with who is inside."""
    visits = dict(_oldest(connection, open_visits.c.gym_id, open_visits.c.entered_at))
    uses = dict(_oldest(connection, open_machine_uses.c.gym_id, open_machine_uses.c.started_at))
    found = []
    for gym_id in visits.keys() | uses.keys():
        limits = _limits(connection, gym_id)
        if limits is None:
            continue
        visit_over = gym_id in visits and limits.visit_over_at(visits[gym_id]) <= now
        if visit_over or (gym_id in uses and uses[gym_id] + limits.longest_use <= now):
            found.append(gym_id)
    return sorted(found)


def _oldest(
    connection: Connection, gym_id: ColumnElement[UUID], began_at: ColumnElement[datetime]
) -> list[tuple[UUID, datetime]]:
    rows = connection.execute(select(gym_id, func.min(began_at)).group_by(gym_id))
    return [(row[0], row[1]) for row in rows]


def _limits(connection: Connection, gym_id: UUID) -> StayLimits | None:
    row = connection.execute(
        select(gyms.c.longest_visit_s, gyms.c.grace_after_closing_s, gyms.c.longest_use_s, gyms.c.time_zone).where(
            gyms.c.id == gym_id
        )
    ).one_or_none()
    if row is None:
        return None
    return StayLimits(
        timedelta(seconds=row.longest_visit_s),
        timedelta(seconds=row.grace_after_closing_s),
        timedelta(seconds=row.longest_use_s),
        row.time_zone,
        HoursRepository(connection).of(gym_id),
    )
