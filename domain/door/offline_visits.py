"""The visits that scans without the server make: worked out anew from all of them whenever one more is known."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from domain.door.ending import free_machines
from domain.door.events import TOPIC, DoorEvent, VisitInferred, VisitReopened
from domain.door.machine_model import UseEnded
from domain.door.model import Conflict, Direction
from domain.door.offline_repository import KeptVisit, OfflineRepository
from domain.door.repository import DoorRepository, MemberRow
from domain.door.state import OpenVisit
from domain.door.timeline import End, OfflineEntry, Timeline, replay
from domain.ids import new_id
from domain.memberships.rules import standing
from domain.outbox import store_events


def rebuild(connection: Connection, member: MemberRow, now: datetime) -> dict[UUID, Conflict | None]:
    """Make a member's visits agree with their scans without the server; the member is locked already.

    Only scans later than the last one that was decided at a gate are gone through: what was decided stays.

    Returns:
        What does not fit of each of those scans, by its row.
    """
    repository = OfflineRepository(connection, member.shown.id)
    entries, rows = repository.entries(repository.last_decided())
    if not rows:
        return {}
    before = repository.visit_before(rows)
    earlier = OpenVisit(before.id, before.gym_id, before.entered_at) if before is not None else None
    used = repository.used_codes({entry.issued_at for entry in entries}, rows)
    timeline = replay(earlier, used, entries)
    conflicts = _by_membership(connection, member, entries) | timeline.conflicts
    gyms = {entry.id: entry.gym_id for entry in entries}
    repository.keep_conflicts(rows, {id_: (gyms[id_], conflict) for id_, conflict in conflicts.items()}, now)
    _Rewriting(connection, repository, member.shown.id, rows, now).apply(before, timeline)
    return {entry.id: conflicts.get(entry.id) for entry in entries}


def _by_membership(
    connection: Connection, member: MemberRow, entries: Collection[OfflineEntry]
) -> dict[UUID, Conflict]:
    """Whom the gate would have refused, had it been able to ask."""
    entered = [entry for entry in entries if entry.direction is not Direction.LEAVE]
    if member.banned:
        return {entry.id: Conflict.BANNED for entry in entered}
    held = DoorRepository(connection).members_now([member.shown.id]).memberships.get(member.shown.id, [])
    companies = OfflineRepository(connection, member.shown.id).companies({entry.gym_id for entry in entered})
    refused = (
        entry
        for entry in entered
        if standing([one.seen_from(entry.gym_id, companies[entry.gym_id]) for one in held], entry.occurred_at).reason
        is not None
    )
    return {entry.id: Conflict.NO_MEMBERSHIP for entry in refused}


class _Rewriting:
    """Brings what is kept to what was worked out. Visits are closed first: a member is inside once."""

    def __init__(
        self,
        connection: Connection,
        repository: OfflineRepository,
        member_id: UUID,
        rows: Collection[UUID],
        now: datetime,
    ) -> None:
        self._connection = connection
        self._repository = repository
        self._member_id = member_id
        self._rows = rows
        self._now = now
        self._events: list[tuple[UUID, DoorEvent]] = []
        self._goes_on: list[tuple[UUID, UUID, datetime]] = []

    def apply(self, before: KeptVisit | None, timeline: Timeline) -> None:
        """Write what differs, and tell of it."""
        kept = {visit.entered_scan: visit for visit in self._repository.visits_begun_by(self._rows)}
        for scan in kept.keys() - {visit.entry.id for visit in timeline.visits}:
            self._take_back(kept[scan])
        if before is not None:
            self._settle(before, timeline.earlier_ends)
        for visit in timeline.visits:
            existing = kept.get(visit.entry.id)
            if existing is not None:
                self._settle(existing, visit.end)
                continue
            visit_id = self._repository.begin(visit)
            if visit.end is None:
                self._goes_on.append((visit_id, visit.entry.gym_id, visit.entry.occurred_at))
        for open_visit in self._goes_on:
            self._repository.open(*open_visit)
        store_events(self._connection, TOPIC, self._events, self._now)

    def _take_back(self, visit: KeptVisit) -> None:
        self._free(visit.id, UseEnded.SCAN_ANNULLED)
        self._repository.close([visit.id])
        self._repository.annul(visit.id, self._now)

    def _settle(self, visit: KeptVisit, end: End | None) -> None:
        if end is None:
            self._let_go_on(visit)
            return
        if (visit.left_at, visit.left_scan) == (end.left_at, end.left_scan):
            return
        self._free(visit.id, UseEnded.LEFT_GYM)
        self._repository.close([visit.id])
        self._repository.set_end(visit.id, end)
        if end.inferred is not None:
            told = VisitInferred(new_id(), visit.gym_id, visit.id, self._member_id, end.inferred, end.left_at)
            self._events.append((visit.gym_id, told))

    def _let_go_on(self, visit: KeptVisit) -> None:
        """A visit that a rule has ended stays so: nothing that is known now says that it went on."""
        if visit.left_at is not None and visit.left_scan in self._rows:
            self._repository.set_end(visit.id, None)
            self._goes_on.append((visit.id, visit.gym_id, visit.entered_at))
            told = VisitReopened(new_id(), visit.gym_id, visit.id, self._member_id, self._now)
            self._events.append((visit.gym_id, told))

    def _free(self, visit_id: UUID, why: UseEnded) -> None:
        self._events += free_machines(self._connection, [visit_id], self._now, why)
