"""Corrections of a member's visits: what an upload or an annulment changes is worked out anew from the facts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from domain.door.ending import free_machines
from domain.door.events import TOPIC, DoorEvent, VisitInferred, VisitReopened
from domain.door.machine_model import UseEnded
from domain.door.machine_repository import MachineUses
from domain.door.model import Conflict, Direction, Inferred, Outcome
from domain.door.repository import DoorRepository, MemberRow
from domain.door.timeline import End, GateScan, OfflineEntry, Stay, Timeline, replay
from domain.door.timeline_repository import KeptVisit, TimelineRepository, TimelineScan, VisitValues
from domain.ids import new_id
from domain.memberships.rules import standing
from domain.outbox import store_events

# Longer than a code is good and than a phone is held up: earlier facts have nothing to do with the one that changes.
_MARGIN = timedelta(minutes=10)
# Of scans decided or recorded so long before the one that changes, a correction reads at least.
READ_BEFORE = 2 * _MARGIN
_NO_END = (None, None, None)
_BY_MEMBERSHIP = {Conflict.BANNED, Conflict.NO_MEMBERSHIP}


def correct_visits(
    connection: Connection, member: MemberRow, since: datetime, now: datetime, recorded: UUID | None = None
) -> Conflict | None:
    """Make a member's visits agree with the facts of their timeline; the member is locked already.

    Args:
        since: when the fact took place that is new, or was annulled.
        recorded: the row of a scan without the server that is new.

    Returns:
        What does not fit of that scan.
    """
    repository = TimelineRepository(connection, member.shown.id)
    facts = _Facts.of(repository, since)
    kept = repository.visits(facts.begin)
    correction = _Correction(connection, repository, member, facts, kept, now)
    timeline = correction.timeline(repository.deleted_at() if member.deleted else None)
    conflicts = _conflicts(connection, repository, member, facts.entries, timeline, recorded, now)
    correction.apply(timeline)
    return conflicts.get(recorded) if recorded is not None else None


class _Facts:
    """The scans from a calm moment on, and the codes that were used just before it."""

    def __init__(self, scans: Sequence[TimelineScan], begin: datetime) -> None:
        self.begin = begin
        self.groups = {scan.fact.id: scan.fact.group for scan in scans}
        self.scans = {scan.fact.id: scan for scan in scans if scan.fact.at >= begin and not scan.annulled}
        self.entries = [scan.fact for scan in self.scans.values() if isinstance(scan.fact, OfflineEntry)]
        self.codes_before = {
            scan.fact.issued_at
            for scan in scans
            if scan.fact.at < begin
            and not scan.annulled
            and isinstance(scan.fact, GateScan)
            and scan.fact.outcome is Outcome.ENTERED
        }

    @classmethod
    def of(cls, repository: TimelineRepository, since: datetime) -> "_Facts":
        """The facts that a change at a moment may concern.

        A scan of a gate that is annulled no longer comes before uploads that were known after it, however early they
        were made.
        """
        begin = since - _MARGIN
        scans = repository.scans(begin - _MARGIN)
        made = [scan.fact.at for scan in scans if isinstance(scan.fact, OfflineEntry) and scan.fact.known_at >= since]
        earliest = min(made, default=since) - _MARGIN
        if earliest < begin:
            begin = earliest
            scans = repository.scans(begin - _MARGIN)
        return cls(scans, begin)


def _conflicts(
    connection: Connection,
    repository: TimelineRepository,
    member: MemberRow,
    entries: Collection[OfflineEntry],
    timeline: Timeline,
    recorded: UUID | None,
    now: datetime,
) -> Mapping[UUID, Conflict]:
    """What does not fit, kept for the staff.

    Whether the gate would have refused somebody is asked when the scan is recorded, or another conflict of it is gone;
    what was found then stays.
    """
    listed = repository.listed_conflicts({entry.id for entry in entries})
    found = {id_: kind for id_, kind in listed.items() if kind in _BY_MEMBERSHIP} | timeline.conflicts
    asked = [
        entry
        for entry in entries
        if entry.direction is not Direction.LEAVE
        and entry.id not in found
        and (entry.id == recorded or entry.id in listed)
    ]
    found |= _by_membership(connection, repository, member, asked)
    gyms = {entry.id: entry.gym_id for entry in entries}
    repository.keep_conflicts(listed, {id_: (gyms[id_], conflict) for id_, conflict in found.items()}, now)
    return found


def _by_membership(
    connection: Connection, repository: TimelineRepository, member: MemberRow, entries: Collection[OfflineEntry]
) -> dict[UUID, Conflict]:
    """Whom the gate would have refused, had it been able to ask."""
    if not entries or member.banned:
        return {entry.id: Conflict.BANNED for entry in entries}
    held = DoorRepository(connection).members_now([member.shown.id]).memberships.get(member.shown.id, [])
    companies = repository.companies({entry.gym_id for entry in entries})
    refused = (
        entry
        for entry in entries
        if standing([one.seen_from(entry.gym_id, companies[entry.gym_id]) for one in held], entry.at).reason is not None
    )
    return {entry.id: Conflict.NO_MEMBERSHIP for entry in refused}


class _Correction:
    """Brings what is kept to what was worked out.

    Visits are closed, and give up their codes, before others are opened: a member is inside once, a code admits once.
    """

    def __init__(
        self,
        connection: Connection,
        repository: TimelineRepository,
        member: MemberRow,
        facts: _Facts,
        kept: Sequence[KeptVisit],
        now: datetime,
    ) -> None:
        count = [visit for visit in kept if not visit.annulled]
        self._connection = connection
        self._repository = repository
        self._member_id = member.shown.id
        self._facts = facts
        self._rules = [visit.rule for visit in kept if visit.rule is not None and visit.rule.at >= facts.begin]
        self._begun = [visit for visit in count if visit.entered_at >= facts.begin]
        self._before = next((visit for visit in count if _is_open_at(visit, facts.begin)), None)
        self._now = now
        codes = {scan.fact.issued_at for scan in facts.scans.values()}
        self._used = repository.used_codes(codes, {visit.id for visit in self._begun})
        self._visits: dict[Stay, UUID] = {}
        self._earlier: Stay | None = None
        if self._before is not None:
            opener = self._before.entered_scan
            self._earlier = Stay(self._before.gym_id, facts.groups.get(opener) if opener is not None else None)
            self._visits[self._earlier] = self._before.id
        self._reopened: list[tuple[UUID, datetime]] = []
        self._events: list[tuple[UUID, DoorEvent]] = []

    def timeline(self, deleted_at: datetime | None) -> Timeline:
        """What the facts amount to; nobody stays inside whose account is deleted."""
        facts = [scan.fact for scan in self._facts.scans.values()]
        timeline = replay(self._earlier, self._used | self._facts.codes_before, [*facts, *self._rules])
        last = timeline.stays[-1] if timeline.stays else self._earlier
        if deleted_at is not None and last is not None and last.end is None:
            began_at = last.opener.at if last.opener is not None else deleted_at
            last.end = End(max(deleted_at, began_at), None, Inferred.ACCOUNT_DELETED)
        return timeline

    def apply(self, timeline: Timeline) -> None:
        """Write what differs, and tell of it."""
        kept = self._matched(timeline.stays)
        changes = [(stay, kept.get(stay), self._values(stay)) for stay in timeline.stays]
        for begun in self._begun:
            if begun not in kept.values():
                self._take_back(begun)
        for stay, visit, values in changes:
            self._visits[stay] = visit.id if visit is not None else new_id()
            if visit is not None and visit.pass_issued_at not in {None, values.pass_issued_at}:
                self._repository.free_code(visit.id)
        if self._before is not None and self._earlier is not None:
            self._change_end(self._before, self._earlier)
        for stay, visit, values in changes:
            self._write(stay, visit, values)
        self._open(timeline.stays, kept)
        for scan_id, done in timeline.of_scans.items():
            visit_id = self._visits[done] if done is not None else None
            if self._facts.scans[scan_id].visit_id != visit_id:
                self._repository.set_visit(scan_id, visit_id)
        store_events(self._connection, TOPIC, self._events, self._now)

    def _matched(self, stays: Sequence[Stay]) -> dict[Stay, KeptVisit]:
        """The visit that is kept of each stay: of the same scan, or of another one with the same answer."""
        left = {visit.entered_scan: visit for visit in self._begun}
        found = {stay: left.pop(stay.opener.id) for stay in stays if stay.opener and stay.opener.id in left}
        of_group = {self._facts.groups.get(scan): scan for scan in left if scan is not None}
        for stay in stays:
            if stay not in found and stay.group in of_group:
                found[stay] = left[of_group.pop(stay.group)]
        return found

    def _values(self, stay: Stay) -> VisitValues:
        opener = stay.opener
        assert opener is not None  # noqa: S101 - only the earlier visit has none
        code = opener.issued_at if opener.issued_at not in self._used else None
        self._used.add(opener.issued_at)
        return VisitValues(code, opener.at, opener.id, *(stay.end or _NO_END))

    def _take_back(self, visit: KeptVisit) -> None:
        self._free(visit.id, UseEnded.SCAN_ANNULLED)
        self._repository.close(visit.id)
        self._repository.annul(visit.id, self._now)

    def _change_end(self, visit: KeptVisit, stay: Stay) -> None:
        end = stay.end or _NO_END
        self._follow(visit, stay.end)
        if (visit.left_at, visit.left_scan, visit.inferred) != end:
            self._repository.change(
                visit.id, VisitValues(visit.pass_issued_at, visit.entered_at, visit.entered_scan, *end)
            )

    def _write(self, stay: Stay, visit: KeptVisit | None, values: VisitValues) -> None:
        if visit is None:
            assert stay.opener is not None  # noqa: S101 - only the earlier visit has none
            self._repository.begin(self._visits[stay], stay.gym_id, stay.opener.gate_id, values)
            return
        self._follow(visit, stay.end)
        if visit.values != values:
            self._repository.change(visit.id, values)

    def _follow(self, visit: KeptVisit, end: End | None) -> None:
        """Tell that a visit ends otherwise, or goes on, and let its machine follow."""
        if end is None:
            if visit.left_at is not None:
                self._reopened.append((visit.id, visit.left_at))
                told = VisitReopened(new_id(), visit.gym_id, visit.id, self._member_id, self._now)
                self._events.append((visit.gym_id, told))
            return
        if visit.left_at is None:
            self._free(visit.id, UseEnded.LEFT_GYM)
            self._repository.close(visit.id)
        if end.inferred is not None and (visit.left_at, visit.inferred) != (end.left_at, end.inferred):
            inferred = VisitInferred(new_id(), visit.gym_id, visit.id, self._member_id, end.inferred, end.left_at)
            self._events.append((visit.gym_id, inferred))

    def _open(self, stays: Sequence[Stay], kept: Mapping[Stay, KeptVisit]) -> None:
        """Count the visit as open that has not ended, and give back the machine of one that goes on."""
        last = stays[-1] if stays else self._earlier
        if last is None or last.end is not None:
            return
        if last.opener is not None:
            visit, entered_at = kept.get(last), last.opener.at
        else:
            assert self._before is not None  # noqa: S101 - without an opener it is the earlier visit
            visit, entered_at = self._before, self._before.entered_at
        if visit is None or visit.left_at is not None:
            self._repository.open(self._visits[last], last.gym_id, entered_at)
        elif visit.entered_at != entered_at:
            self._repository.set_entered_at(visit.id, entered_at)
        for visit_id, left_at in self._reopened:
            MachineUses(self._connection).resume(visit_id, left_at)

    def _free(self, visit_id: UUID, why: UseEnded) -> None:
        self._events += free_machines(self._connection, [visit_id], self._now, why)


def _is_open_at(visit: KeptVisit, begin: datetime) -> bool:
    """Whether a visit that began before a moment lasts until then; a rule may end it later than an upload has."""
    return visit.entered_at < begin and (visit.left_at is None or visit.left_at >= begin)
